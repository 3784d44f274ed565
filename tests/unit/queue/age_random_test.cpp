// Random boots, ends, power cuts, clock steps, lies and switched-off times from one printed seed: a measured age is
// never more than the true one, with a good clock hardly less, and nothing expires early.

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "queue/clock/expiry.h"
#include "support/manual_clock.h"

namespace packhorse::queue {
namespace {

using namespace std::chrono_literals;
using std::chrono::microseconds;

const WallTime kTrueTime{microseconds(1'795'162'531'500'000)};
constexpr auto kMaxAge = 10h;
constexpr auto kWait = 1h;

class Machine {
 public:
  // `good`: its clock is always synchronised and never wrong.
  Machine(std::uint64_t seed, bool good) : random_(seed), good_(good) { Boot(); }

  void Step() {
    switch (Random(10)) {
      case 0:
        PowerCut();
        break;
      case 1:
        Open();  // killed: what was not checkpointed of the clock is forgotten
        break;
      case 2:
        Checkpoint();
        break;
      case 3:
        MoveClock();
        break;
      default:
        Run(microseconds(1'000'000 * (1 + Random(1'800))));
    }
    Look();
  }

  unsigned due() const { return due_; }

 private:
  struct Arrival {
    std::chrono::nanoseconds boot_time{};
    microseconds at{};  // true time
    bool told = false;
  };

  std::uint64_t Random(std::uint64_t below) {
    return std::uniform_int_distribution<std::uint64_t>(0, below - 1)(random_);
  }
  WallTime True() const { return kTrueTime + true_; }

  void Boot() {
    clock_.Reboot("boot-" + std::to_string(++clock_epochs_), good_ || Random(2) == 0 ? True() : WallTime(30s));
    clock_.SetSynchronized(good_);
    lie_ends_.reset();
    const microseconds starts(1'000 * Random(90'000));
    clock_.Advance(starts);
    true_ += starts;
    Open();
  }
  // The process begins with what the last checkpoint left.
  void Open() {
    boots_state_ = ClockEpochs();
    for (auto& [number, boot] : rows_) {
      boots_state_.Add(boot);
    }
    ClockEpochChanges changes;
    boots_state_.Begin({clock_.BootId(), clock_.Boot(), WallAtBoot(clock_), clock_.Synchronized()},
                       {next_, next_, next_}, changes);
    Store(changes);
    expiry_ = Expiry();
    expiry_.SetMaxAge(kMaxAge);
  }
  void Store(const ClockEpochChanges& changes) {
    for (const auto& [number, boot] : changes) {
      if (boot) {
        rows_[number] = *boot;
      } else {
        rows_.erase(number);
      }
    }
  }
  void Checkpoint() {
    boots_state_.Note(ReadClocks(clock_));
    rows_[boots_state_.current()->number] = *boots_state_.current();
  }
  void PowerCut() {
    if (Random(2) == 0) {
      Checkpoint();  // an orderly end
    }
    true_ += microseconds(1'000'000 * Random(200'000));
    Boot();
  }
  void MoveClock() {
    if (good_) {
      return;
    }
    if (!clock_.Synchronized()) {
      clock_.SetWall(Random(3) == 0 ? True() : WallTime(microseconds(1'000'000 * Random(4'000'000'000))));
      if (clock_.Wall() == True()) {
        clock_.SetSynchronized(true);
      }
    } else if (Random(3) == 0) {
      clock_.SetSynchronized(false);
    } else {
      // The kernel says that it is right, and for a while it is years away.
      boots_state_.Note(ReadClocks(clock_));
      Checkpoint();
      clock_.StepWall((Random(2) == 0 ? 1 : -1) * 24h * 3'650);
      lie_ends_ = true_ + microseconds(1'000'000 * (1 + Random(1'800)));
    }
  }
  void Run(microseconds by) {
    // As the loop does, in pieces, the end of a lie not to be missed.
    while (by > 0us) {
      microseconds piece = std::min<microseconds>(by, 5min);
      if (lie_ends_) {
        piece = std::min(piece, std::max(*lie_ends_ - true_, microseconds(1)));
      }
      clock_.Advance(piece);
      true_ += piece;
      by -= piece;
      if (lie_ends_ && true_ >= *lie_ends_) {
        clock_.SetWall(True());
        lie_ends_.reset();
      }
      boots_state_.Note(ReadClocks(clock_));
    }
    if (Random(2) == 0) {
      arrivals_[next_++] = Arrival{clock_.Boot(), true_, false};
      Checkpoint();
    }
  }

  void Look() {
    const ClockReading reading = ReadClocks(clock_);
    boots_state_.Note(reading);
    expiry_.Begin(boots_state_, reading, clock_.Mono());
    for (auto at = arrivals_.begin(); at != arrivals_.end();) {
      const auto& [sequence, arrival] = *at;
      const microseconds age = true_ - arrival.at;
      const microseconds measured = expiry_.ages().Of(Lane::kNormal, sequence, arrival.boot_time);
      ASSERT_LE(measured, age + 1s) << "message " << sequence << " of " << arrivals_.size();
      if (good_ && boots_state_.clock_record().synchronized() >= kWait) {
        ASSERT_GE(measured, age - 1s) << "message " << sequence;
      }
      const bool due = expiry_.IsDue(1, Lane::kNormal, sequence, arrival.boot_time);
      ASSERT_TRUE(!due || age + 1s >= kMaxAge) << "expired early: message " << sequence;
      due_ += due ? 1 : 0;
      at = due ? arrivals_.erase(at) : std::next(at);
    }
    expiry_.End(true);
  }

  std::mt19937_64 random_;
  const bool good_;
  test::ManualClock clock_;
  microseconds true_{};  // since the beginning
  std::optional<microseconds> lie_ends_;
  unsigned clock_epochs_ = 0;
  std::map<std::int64_t, queue::ClockEpoch> rows_;  // as the database has them
  ClockEpochs boots_state_;
  Expiry expiry_;
  std::map<Sequence, Arrival> arrivals_;
  Sequence next_ = 1;
  unsigned due_ = 0;
};

class AgeRandom : public ::testing::TestWithParam<bool> {};

TEST_P(AgeRandom, MeasuredAgeIsNeverMoreThanTheTrueOne) {
  const std::uint64_t first = std::random_device{}();
  unsigned due = 0;
  for (std::uint64_t seed = first; seed < first + 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Machine machine(seed, GetParam());
    for (int i = 0; i < 400; ++i) {
      machine.Step();
      if (HasFatalFailure()) {
        return;
      }
    }
    due += machine.due();
  }
  EXPECT_GT(due, 100U) << "what is too old does expire";
}

INSTANTIATE_TEST_SUITE_P(Clocks, AgeRandom, ::testing::Values(false, true),
                         [](const auto& of) { return of.param ? "Good" : "AnyKind"; });

}  // namespace
}  // namespace packhorse::queue
