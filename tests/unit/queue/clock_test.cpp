// Messages that come before the gateway knows the time.

#include <atomic>
#include <filesystem>

#include "queue_fixture.h"

namespace packhorse::queue {
namespace {

using namespace std::chrono_literals;

const WallTime kWrong{30s};
const WallTime kRight{std::chrono::microseconds(1'795'172'531'500'000)};

class ClockTest : public QueueTest {
 protected:
  ClockTest() {
    streams_ = {{"telemetry", Lane::kNormal, {"cloud", "archive"}}, {"alarms", Lane::kUrgent, {"cloud"}}};
    destinations_ = {"cloud", "archive"};
    StartMachine("boot-2");
  }

  void StartMachine(const std::string& boot_id) {
    queue_.reset();
    clock_.Reboot(boot_id, kWrong);
    Reopen();
  }
  // A crash of the process, or with `power_cut` of the machine: a copy of what would be left is opened.
  void Crash(bool power_cut) {
    const std::string left = dir_ / ("left-" + std::to_string(++crashes_));
    std::filesystem::create_directory(left);
    for (const char* name : {"queue.db", "queue.db-wal"}) {
      std::filesystem::copy(dir_ / name, left);
    }
    if (!power_cut && GetParam() != Mode::kWithoutJournal) {
      std::filesystem::copy(dir_ / "run", left + "/run", std::filesystem::copy_options::recursive);
    }
    queue_.reset();
    if (power_cut) {
      clock_.Reboot("boot-after-cut-" + std::to_string(crashes_), kWrong);
    }
    Options options = MakeOptions();
    options.path = left + "/queue.db";
    options.runtime_dir = GetParam() == Mode::kWithoutJournal ? options.runtime_dir : left + "/run";
    Result<std::unique_ptr<Queue>> opened = Open(options, clock_);
    ASSERT_TRUE(opened) << opened.error().message;
    queue_ = *std::move(opened);
  }

  Sequence Arrive(const std::string& payload, const std::string& stream = "telemetry") {
    RawMessage message = Message(payload, stream);
    message.clock = clock_.Synchronized() ? ClockState::kSynchronized : ClockState::kUnsynchronized;
    const Result<Sequence> sequence = queue_->Append(message);
    EXPECT_TRUE(sequence);
    return sequence.value_or(0);
  }
  void Learn() {
    clock_.SetWall(kRight);
    clock_.SetSynchronized(true);
    ASSERT_TRUE(queue_->LearnClock());
    ASSERT_TRUE(test::WaitFor([&] { return !queue_->ClockOfBoot().withholds; }));
  }
  std::vector<StoredMessage> Next(const std::string& destination = "cloud", Lane lane = Lane::kNormal,
                                  std::size_t count = 100) {
    const Result<Pending> pending = queue_->Peek(destination, lane, count, 1ULL << 30U);
    EXPECT_TRUE(pending);
    return pending ? pending->messages : std::vector<StoredMessage>();
  }
  // What of the destination's next messages is rendered into a batch.
  std::vector<StoredMessage> Render(const std::string& destination, std::size_t count) {
    const Result<Pending> pending = queue_->Peek(destination, Lane::kNormal, count, 1ULL << 30U);
    EXPECT_TRUE(pending);
    PrepareRequest request{destination, Lane::kNormal, pending->from, pending->through, {}, {}};
    request.batches.push_back(MakeBatch(pending->messages));
    request.batches.front()->destination = destination;
    std::optional<Result<std::vector<BatchId>>> prepared;
    queue_->Prepare(std::move(request), [&](Result<std::vector<BatchId>> ids) { prepared = std::move(ids); });
    const Result<std::vector<BatchId>> ids = Await(prepared);
    EXPECT_TRUE(ids) << ids.error().message;
    batch_ = ids ? ids->front() : 0;
    return pending->messages;
  }
  static void ExpectSameStamp(const RawMessage& a, const RawMessage& b) {
    EXPECT_EQ(a.received_at, b.received_at);
    EXPECT_EQ(a.received_at_raw, b.received_at_raw);
    EXPECT_EQ(a.clock, b.clock);
  }

  std::atomic<int> wakes_{0};
  BatchId batch_ = 0;
  int crashes_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Modes, ClockTest, ::testing::Values(Mode::kWindow, Mode::kStrict, Mode::kWithoutJournal),
                         NameOf);

TEST_P(ClockTest, NothingIsShownBeforeTheFirstSyncAndAllOfItCorrectedAfterIt) {
  Arrive("early");
  clock_.Advance(40s);
  Arrive("alarm", "alarms");
  clock_.Advance(20s);
  EXPECT_TRUE(Next().empty());
  EXPECT_TRUE(Next("archive").empty());
  EXPECT_TRUE(Next("cloud", Lane::kUrgent).empty());
  EXPECT_EQ(queue_->Waiting("cloud", Lane::kNormal).messages, 0U);
  EXPECT_EQ(queue_->Waiting("cloud", Lane::kNormal).withheld, 1U);
  EXPECT_EQ(queue_->ClockOfBoot().state, BootClock::State::kAwaited);
  Learn();
  Arrive("now");
  const std::vector<StoredMessage> next = Next();
  ASSERT_EQ(next.size(), 2U);
  EXPECT_EQ(next[0].message.clock, ClockState::kRecovered);
  EXPECT_EQ(next[0].message.received_at, kRight - 60s);
  EXPECT_EQ(next[0].message.received_at_raw, kWrong);
  EXPECT_EQ(next[1].message.clock, ClockState::kSynchronized);
  EXPECT_EQ(next[1].message.received_at, kRight);
  EXPECT_EQ(Next("cloud", Lane::kUrgent).at(0).message.received_at, kRight - 20s);
  EXPECT_EQ(queue_->ClockOfBoot().offset, kRight - (kWrong + 60s));
}

TEST_P(ClockTest, WhatTheBootBeforeLeftIsNotHeldBack) {
  Arrive("of a boot that never knew the time");
  StartMachine("boot-3");
  Arrive("of this one");
  const std::vector<StoredMessage> next = Next();
  ASSERT_EQ(next.size(), 1U);
  EXPECT_EQ(next[0].message.clock, ClockState::kUnsynchronized);
  EXPECT_EQ(next[0].message.received_at, kWrong);
  ExpectSameStamp(Render("cloud", 100).at(0).message, next[0].message);
  EXPECT_EQ(queue_->Waiting("cloud", Lane::kNormal).messages, 0U);
  clock_.Advance(10s);
  Learn();
  EXPECT_EQ(Next().at(0).message.clock, ClockState::kRecovered);
  EXPECT_EQ(Next("archive").at(0).message.clock, ClockState::kUnsynchronized);
  ExpectVerified();
}

TEST_P(ClockTest, EveryDestinationRetryAndRestartShowsTheSameStamp) {
  Arrive("early");
  clock_.Advance(30s);
  Learn();
  const RawMessage first = Render("cloud", 1).at(0).message;
  EXPECT_EQ(first.clock, ClockState::kRecovered);
  clock_.StepWall(2h);  // the clock is set once more: that is too late
  EXPECT_FALSE(queue_->LearnClock());
  ExpectSameStamp(queue_->Read(Lane::kNormal, 1)->message, first);
  Reopen();
  ExpectSameStamp(queue_->Read(Lane::kNormal, 1)->message, first);
  ExpectSameStamp(Next("archive").at(0).message, first);
  queue_.reset();
  clock_.Reboot("boot-3", kWrong);
  Reopen();
  ExpectSameStamp(Render("archive", 1).at(0).message, first);
}

TEST_P(ClockTest, LimitOverTheyGoOutAsStampedForEveryDestinationAndOnlyTheOthersAreCorrected) {
  for (int i = 0; i < 4; ++i) {
    Arrive("early");
  }
  clock_.Advance(119s);
  EXPECT_TRUE(Next().empty());
  clock_.Advance(1s);
  EXPECT_EQ(Next().size(), 4U);  // looking decides nothing
  const std::vector<StoredMessage> sent = Render("cloud", 2);
  EXPECT_EQ(sent.at(1).message.clock, ClockState::kUnsynchronized);
  Learn();
  const std::vector<StoredMessage> archive = Next("archive");
  ASSERT_EQ(archive.size(), 4U);
  ExpectSameStamp(archive[0].message, sent[0].message);
  ExpectSameStamp(archive[1].message, sent[1].message);
  EXPECT_EQ(archive[2].message.clock, ClockState::kRecovered);
  ExpectSameStamp(Next().at(0).message, archive[2].message);
  Reopen();
  ExpectSameStamp(Next("archive").at(1).message, sent[1].message);
}

TEST_P(ClockTest, KilledBetweenLearningAndRenderingItShowsWhatWasLearnt) {
  Arrive("early");
  clock_.Advance(30s);
  Learn();
  const RawMessage learnt = Next().at(0).message;
  clock_.StepWall(5s);
  Crash(false);
  ExpectSameStamp(Next().at(0).message, learnt);
  EXPECT_FALSE(queue_->LearnClock());
}

TEST_P(ClockTest, PowerCutAfterLearningDoesNotTakeItBack) {
  Arrive("early");
  clock_.Advance(30s);
  Learn();
  const RawMessage sent = Render("cloud", 1).at(0).message;
  Crash(true);
  ASSERT_EQ(Next("archive").size(), 1U);
  ExpectSameStamp(Next("archive").at(0).message, sent);
}

TEST_P(ClockTest, DaemonThatStartsAgainBeforeTheFirstSyncStillCorrects) {
  Arrive("early");
  clock_.Advance(30s);
  Reopen();
  EXPECT_TRUE(Next().empty());
  clock_.Advance(30s);
  Learn();
  EXPECT_EQ(Next().at(0).message.received_at, kRight - 60s);
}

TEST_P(ClockTest, SyncWhileTheDaemonWasAwayIsLearntWhenItIsBack) {
  Arrive("early");
  queue_.reset();
  clock_.Advance(30s);
  clock_.SetWall(kRight);
  clock_.SetSynchronized(true);
  Reopen();
  EXPECT_TRUE(Next().empty());
  Learn();
  EXPECT_EQ(Next().at(0).message.received_at, kRight - 30s);
}

TEST_P(ClockTest, DeadLetterAndQuarantineKeepTheCorrectedStampAndTheOriginal) {
  Arrive("early");
  Arrive("broken");
  clock_.Advance(30s);
  Learn();
  const RawMessage sent = Render("cloud", 1).at(0).message;
  Settlement settlement;
  settlement.batch = batch_;
  settlement.dead.push_back(DeadRecord{1, 0, "rejected", "no", "", 400});
  ASSERT_TRUE(Settle(std::move(settlement)));
  const Result<Pending> pending = queue_->Peek("cloud", Lane::kNormal, 1, 1'000);
  PrepareRequest request{"cloud", Lane::kNormal, pending->from, pending->through, {}, {}};
  request.resolutions.push_back(Resolution{2, Outcome::kQuarantined, "not_json", "", std::nullopt});
  std::optional<Result<std::vector<BatchId>>> prepared;
  queue_->Prepare(std::move(request), [&](Result<std::vector<BatchId>> ids) { prepared = std::move(ids); });
  ASSERT_TRUE(Await(prepared));
  ExpectSameStamp(queue_->DeadLetters(10, 0)->at(0).message, sent);
  ExpectSameStamp(queue_->Quarantined(10, 0)->at(0).message, sent);
  EXPECT_EQ(queue_->Trace(Lane::kNormal, 1, std::nullopt)->received_at, sent.received_at);
}

TEST_P(ClockTest, OldestPendingIsToldByTheBootTimeWhileTheClockIsWrongOrStepped) {
  Arrive("early");
  clock_.Advance(30s);
  EXPECT_EQ(queue_->OldestPending("cloud"), kWrong);
  clock_.StepWall(-10s);
  EXPECT_EQ(clock_.Wall() - queue_->OldestPending("cloud"), 30s);
  Learn();
  EXPECT_EQ(queue_->OldestPending("cloud"), kRight - 30s);
  clock_.StepWall(24h * 400);
  EXPECT_EQ(clock_.Wall() - queue_->OldestPending("cloud"), 30s);
}

TEST_P(ClockTest, ClockThatStepsInEitherDirectionKeepsOrderAndCounts) {
  Learn();
  std::vector<Sequence> sent;
  for (const auto step : {0h, 24h * 365, -24h * 730, 1h}) {
    clock_.StepWall(step);
    sent.push_back(Arrive("step " + std::to_string(step.count())));
    clock_.Advance(1s);
  }
  const std::vector<StoredMessage> next = Next();
  ASSERT_EQ(next.size(), 4U);
  for (std::size_t i = 0; i < next.size(); ++i) {
    EXPECT_EQ(next[i].sequence, sent[i]);
    EXPECT_EQ(next[i].message.clock, ClockState::kSynchronized);
  }
  Render("cloud", 100);
  ASSERT_TRUE(Settle(Delivered(batch_)));
  EXPECT_EQ(Row().delivered, 4U);
  ExpectVerified();
}

TEST_P(ClockTest, WhatWaitsForTheClockDoesNotWakeTheLoopAgainAndAgain) {
  Arrive("early");
  queue_.reset();
  Options options = MakeOptions();
  options.wake = [this] { ++wakes_; };
  Result<std::unique_ptr<Queue>> opened = Open(options, clock_);
  ASSERT_TRUE(opened);
  queue_ = *std::move(opened);
  queue_->Poll();
  wakes_ = 0;
  queue_->WakeAt("cloud", Lane::kNormal, 1);
  EXPECT_EQ(wakes_, 0);
  Learn();
  EXPECT_GT(wakes_, 0);
  queue_.reset();  // wakes
}

}  // namespace
}  // namespace packhorse::queue
