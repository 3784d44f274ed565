#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <random>
#include <set>
#include <string>

#include "identity_fixture.h"

// Random histories of starts, kills, power cuts, copies put back, clones, missing logs and damaged journals: no record
// id is given to two messages, and whatever is missing is told.

namespace packhorse::queue {
namespace {

namespace fs = std::filesystem;

class RandomIdentity : public Identity {
 protected:
  unsigned Draw(unsigned below) { return std::uniform_int_distribution<unsigned>(0, below - 1)(random_); }

  void AppendSome() {
    for (unsigned left = Draw(8); left > 0; --left) {
      const std::string payload = "message " + std::to_string(++messages_);
      AppendNamed(payload);
      waits_.insert(payload);
    }
    if (Draw(2) == 0) {
      ExpectVerified();  // a checkpoint
    }
    if (Draw(3) == 0 && !Waiting().empty()) {
      const Result<Pending> pending = queue_->Peek("cloud", Lane::kNormal, 1 + Draw(6), 1ULL << 30U);
      for (const StoredMessage& stored : pending->messages) {
        waits_.erase(stored.message.payload);
      }
      ASSERT_TRUE(Settle(Delivered(PrepareNext(pending->messages.size()))));
    }
  }

  // The same files on another machine.
  void RunClone() {
    const std::string folder = dir_ / ("clone-" + std::to_string(++clones_));
    fs::create_directory(folder);
    for (const auto& entry : fs::directory_iterator(dir_ / "image")) {
      fs::copy(entry.path(), folder);
    }
    Options options = MakeOptions();
    options.path = folder + "/queue.db";
    options.runtime_dir = folder + "/run";
    test::ManualClock clock;
    clock.Reboot("boot of clone " + std::to_string(clones_), clock.Wall());
    Result<std::unique_ptr<Queue>> opened = Open(options, clock);
    ASSERT_TRUE(opened) << opened.error().message;
    queue_.swap(*opened);
    for (unsigned left = 1 + Draw(8); left > 0; --left) {
      AppendNamed("clone " + std::to_string(clones_) + " message " + std::to_string(left));
    }
    queue_.swap(*opened);
  }

  void DamageJournal() {
    for (const char* name : {"run/intake.0", "run/intake.1"}) {
      std::string bytes = fs::exists(dir_ / name) ? test::ReadAll(dir_ / name) : "";
      if (bytes.empty()) {
        continue;
      }
      const std::size_t at = Draw(static_cast<unsigned>(std::max<std::size_t>(bytes.find_last_not_of('\0') + 2, 1)));
      bytes.resize(std::max(bytes.size(), at + 1));
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << Draw(8)));
      WriteInPlace(dir_ / name, bytes);
    }
  }

  void StepOver() {
    const bool kills = Draw(2) == 0;
    kills ? Kill() : End();
    const bool boots = Draw(3) == 0;
    unsigned what = Draw(8);
    history_ += (kills ? "\n kill" : "\n end") + std::string(boots ? " boot " : " ") + std::to_string(what);
    if (what == 0) {
      Keep("image");
      has_image_ = true;
    } else if (what == 1 && has_image_) {
      PutBack("image");
    } else if (what == 2 && has_image_) {
      RunClone();
    } else if (what == 3 && kills) {
      fs::remove(Path() + "-wal");
    } else if (what == 4 && kills && HasRuntimeFolder()) {
      DamageJournal();
    } else if (what == 5 && Draw(3) == 0) {
      fs::remove(Path());
      fs::remove(Path() + "-wal");
    }
    boots ? StartMachine() : Start();
    Compare(boots);
  }

  // What is missing is told; within a boot the count is right.
  void Compare(bool boots) {
    const Result<Pending> pending = queue_->Peek("cloud", Lane::kNormal, 100'000, 1ULL << 30U);
    ASSERT_TRUE(pending) << pending.error().message;
    std::set<std::string> found;
    for (const StoredMessage& stored : pending->messages) {
      found.insert(stored.message.payload);
    }
    // Where the journal was damaged a batch may be on its way again.
    const Result<std::vector<PreparedBatch>> batches = queue_->PreparedBatches("cloud");
    ASSERT_TRUE(batches) << batches.error().message;
    for (const PreparedBatch& batch : *batches) {
      for (const Member& member : batch.members) {
        const Result<StoredMessage> stored = queue_->Read(batch.lane, member.sequence);
        ASSERT_TRUE(stored) << stored.error().message;
        found.insert(stored->message.payload);
      }
    }
    const auto missing = static_cast<std::uint64_t>(std::count_if(
        waits_.begin(), waits_.end(), [&](const std::string& payload) { return !found.contains(payload); }));
    const StartReport& start = queue_->start();
    if (missing > 0) {
      const bool told = start.loss || start.how == StartReport::How::kWithoutJournal;
      ASSERT_TRUE(told) << missing << " messages are missing" << history_;
    }
    if (start.loss && !boots && HasRuntimeFolder() && !start.loss->unknown) {
      EXPECT_LE(start.loss->at_least, missing) << history_;
      EXPECT_GE(start.loss->at_most, missing) << history_;
    }
    ExpectNamesStay();
    ExpectVerified();
    waits_ = std::move(found);
  }

  std::mt19937_64 random_;
  std::set<std::string> waits_;  // acknowledged and not delivered
  unsigned messages_ = 0;
  unsigned clones_ = 0;
  bool has_image_ = false;
  std::string history_;  // what was done between the starts
};

INSTANTIATE_TEST_SUITE_P(Modes, RandomIdentity, ::testing::Values(Mode::kWindow, Mode::kStrict, Mode::kWithoutJournal),
                         NameOf);

TEST_P(RandomIdentity, NoRecordIdIsGivenTwiceAndWhatIsMissingIsTold) {
  const char* text = std::getenv("PACKHORSE_SEED");
  const std::uint64_t seed = text == nullptr ? std::random_device()() : std::strtoull(text, nullptr, 10);
  const char* steps = std::getenv("PACKHORSE_STEPS");
  const int count = steps == nullptr ? 60 : std::atoi(steps);
  std::cout << "PACKHORSE_SEED=" << seed << std::endl;
  random_.seed(seed);
  for (int step = 0; step < count && !HasFailure(); ++step) {
    SCOPED_TRACE("PACKHORSE_SEED=" + std::to_string(seed) + ", step " + std::to_string(step));
    AppendSome();
    StepOver();
  }
}

}  // namespace
}  // namespace packhorse::queue
