#include "queue/limits.h"

#include <sys/wait.h>
#include <unistd.h>

#include <random>

#include "queue/clock/expiry.h"
#include "queue_fixture.h"

namespace packhorse::queue {
namespace {

using namespace std::chrono_literals;

// --- without a queue ---

class Walk : public ::testing::Test {
 protected:
  static constexpr StreamId kStream = 3;

  // Messages with these numbers, a minute apart.
  std::string Segment(Sequence first, Sequence last) const {
    SegmentEncoder segment(first);
    for (Sequence sequence = first; sequence <= last; ++sequence) {
      RawMessage message;
      message.stream = sequence == 5 ? kStream + 1 : kStream;
      message.received_at = clock_.Wall();
      message.boot_time = sequence * 1min;
      segment.Add(sequence, message);
    }
    return std::string(segment.plain());
  }
  GiveUpWalk Over(const GiveUpWalk::Bounds& bounds) {
    return {{Subscription{1, kStream, Lane::kNormal, 1, std::nullopt}}, bounds, budget_};
  }

  test::ManualClock clock_;
  Budget budget_{clock_, clock_.Mono()};
};

TEST_F(Walk, MessageThatTwoSegmentsHoldCountsOnce) {
  GiveUpWalk walk = Over({2, 20, {}});
  ASSERT_TRUE(*walk.Add(Segment(1, 9), 1));
  ASSERT_TRUE(*walk.Add(Segment(7, 12), 7));
  EXPECT_EQ(walk.messages(), 10U);  // 2 to 12 without 5, which is of another stream
  EXPECT_EQ(walk.first(), 2U);
  EXPECT_EQ(walk.through(), 12U);
}

TEST_F(Walk, EndsAtTheFirstMessageThatIsYoung) {
  GiveUpWalk walk = Over({1, 20, [](Sequence, std::chrono::nanoseconds at) { return at <= 4min; }});
  EXPECT_FALSE(*walk.Add(Segment(1, 9), 1));
  EXPECT_EQ(walk.messages(), 4U);
  EXPECT_EQ(walk.through(), 4U);
  ASSERT_TRUE(walk.stays());
  EXPECT_EQ(walk.stays()->sequence, 6U);
  EXPECT_EQ(walk.stays()->boot_time, 6min);
  EXPECT_FALSE(walk.cut_short());
}

TEST_F(Walk, TakesAsManyAsAreAskedFor) {
  GiveUpWalk walk = Over({1, 20, {}, 5});
  EXPECT_FALSE(*walk.Add(Segment(1, 9), 1));
  EXPECT_EQ(walk.messages(), 5U);
  EXPECT_EQ(walk.through(), 6U);
}

TEST_F(Walk, EndsWithTheBudgetAndSaysSo) {
  GiveUpWalk walk = Over({1, 1'000, {}});
  Sequence next = 1;
  while (*walk.Add(Segment(next, next), next)) {
    ++next;
  }
  EXPECT_TRUE(walk.cut_short());
  EXPECT_EQ(next, 65U);
  EXPECT_TRUE(budget_.spent());
}

TEST(Limits, FullBeginsAtTheLimitAndEndsBelow95Percent) {
  Limits limits;
  EXPECT_EQ(Full(limits, {1U << 30U, 1'000'000}, false), "");
  limits.max_bytes = 1'000;
  EXPECT_EQ(Full(limits, {999, 0}, false), "");
  EXPECT_EQ(Full(limits, {1'000, 0}, false), "max_bytes");
  EXPECT_EQ(Full(limits, {950, 0}, true), "max_bytes");
  EXPECT_EQ(Full(limits, {949, 0}, true), "");
  limits.max_messages = 20;
  EXPECT_EQ(Full(limits, {0, 20}, false), "max_records");
  EXPECT_EQ(Full(limits, {0, 18}, true), "");
}

// --- with one ---

class LimitsTest : public QueueTest {
 protected:
  LimitsTest() {
    streams_.push_back({"logs", Lane::kBulk, {"cloud"}});
    Reopen();
  }

  // Everything is in the database, and the limits have seen it: in the daemon a few seconds.
  std::vector<GivenUp> Enforce() {
    std::vector<GivenUp> all;
    for (int quiet = 0; quiet < 4; ++quiet) {
      ExpectVerified();
      LimitReport report = queue_->EnforceLimits(clock_.Mono());
      EXPECT_FALSE(report.problem) << report.problem->message;
      all.insert(all.end(), report.given_up.begin(), report.given_up.end());
      quiet = report.given_up.empty() ? quiet : 0;
    }
    return all;
  }

  // What is too old is told, and the time that has to stand passes.
  void Tell() {
    const std::vector<GivenUp> early = Enforce();
    EXPECT_TRUE(early.empty()) << "expired without having been told";
    clock_.Advance(Expiry::Wait(limits_.max_age));
  }

  // `count` messages that do not compress, in a segment of their own.
  void Fill(int count, const std::string& stream = "telemetry") {
    std::minstd_rand random(static_cast<unsigned>(++fills_));
    for (int i = 0; i < count; ++i) {
      std::string payload(1'000, '\0');
      for (char& each : payload) {
        each = static_cast<char>(random());
      }
      Append(payload, stream);
    }
    ExpectVerified();
  }

  static std::uint64_t Sum(const std::vector<GivenUp>& given_up) {
    std::uint64_t sum = 0;
    for (const GivenUp& each : given_up) {
      sum += each.messages;
    }
    return sum;
  }

  Limits limits_;
  int fills_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Modes, LimitsTest, ::testing::Values(Mode::kWindow, Mode::kStrict, Mode::kWithoutJournal),
                         NameOf);

TEST_P(LimitsTest, WithoutLimitsNothingIsGivenUp) {
  Fill(50);
  clock_.Advance(24h * 365);
  EXPECT_TRUE(Enforce().empty());
  EXPECT_EQ(Row().pending, 50U);
}

TEST_P(LimitsTest, WhatIsOlderThanMaxAgeExpiresWithReasonAndRange) {
  Fill(3);
  Append("urgent", "alarms");
  clock_.Advance(30min);
  Append("young");
  limits_.max_age = 1h;
  queue_->SetLimits(limits_);
  EXPECT_TRUE(Enforce().empty());
  clock_.Advance(25min);
  Tell();
  const std::vector<GivenUp> expired = Enforce();
  ASSERT_EQ(expired.size(), 2U);
  EXPECT_EQ(expired[0].lane, Lane::kUrgent);
  EXPECT_EQ(expired[1].outcome, Outcome::kExpired);
  EXPECT_EQ(expired[1].reason, "max_age");
  EXPECT_EQ(expired[1].destination, "cloud");
  EXPECT_EQ(expired[1].first, 1U);
  EXPECT_EQ(expired[1].last, 3U);
  EXPECT_EQ(expired[1].messages, 3U);
  EXPECT_EQ(Row().expired, 3U);
  EXPECT_EQ(Row().pending, 1U);
  EXPECT_EQ(Row("alarms").expired, 1U);
  EXPECT_EQ(queue_->Peek("cloud", Lane::kNormal, 10, 1U << 20U)->messages.front().message.payload, "young");
  Reopen();
  EXPECT_EQ(Row().expired, 3U);
  EXPECT_EQ(Row().pending, 1U);
  ExpectVerified();
}

TEST_P(LimitsTest, PreparedMessagesDoNotExpire) {
  Fill(4);
  const BatchId batch = PrepareNext(3);
  limits_.max_age = 1h;
  queue_->SetLimits(limits_);
  clock_.Advance(2h);
  Tell();
  EXPECT_EQ(Sum(Enforce()), 1U);
  ASSERT_TRUE(Settle(Delivered(batch)));
  EXPECT_EQ(Row().delivered, 3U);
  EXPECT_EQ(Row().expired, 1U);
  ExpectVerified();
}

TEST_P(LimitsTest, OverMaxRecordsTheOldestGoBulkBeforeNormalBeforeUrgent) {
  Fill(4, "alarms");
  Fill(4, "logs");
  Fill(4);
  limits_.max_messages = 6;
  queue_->SetLimits(limits_);
  const std::vector<GivenUp> dropped = Enforce();
  ASSERT_EQ(dropped.size(), 2U);
  EXPECT_EQ(dropped[0].lane, Lane::kBulk);
  EXPECT_EQ(dropped[0].messages, 4U);
  EXPECT_EQ(dropped[1].lane, Lane::kNormal);
  EXPECT_EQ(dropped[1].messages, 2U);
  EXPECT_EQ(dropped[1].reason, "max_records");
  EXPECT_EQ(Row("alarms").pending, 4U);
  EXPECT_EQ(Row().dropped, 2U);
  EXPECT_EQ(Row().drop_reasons, (std::vector<std::pair<std::string, std::uint64_t>>{{"max_records", 2}}));
  EXPECT_EQ(queue_->Peek("cloud", Lane::kNormal, 1, 1)->messages.front().sequence, 3U);
  ExpectVerified();
}

TEST_P(LimitsTest, OverMaxBytesTheOldestSegmentsGoAndTheirSpaceIsFree) {
  for (int i = 0; i < 20; ++i) {
    Fill(50);  // 50 KB each
  }
  Append("urgent", "alarms");
  ExpectVerified();
  limits_.max_bytes = 700'000;
  queue_->SetLimits(limits_);
  const std::vector<GivenUp> dropped = Enforce();
  ASSERT_FALSE(dropped.empty());
  EXPECT_EQ(dropped.front().reason, "max_bytes");
  EXPECT_EQ(dropped.front().first, 1U);
  if (GetParam() == Mode::kWindow) {
    EXPECT_EQ(Sum(dropped) % 50, 0U) << "segments go whole";
  }
  EXPECT_LE(queue_->Snapshot().bytes, limits_.max_bytes);
  EXPECT_GE(queue_->Snapshot().bytes, limits_.max_bytes / 2) << "more than needed was dropped";
  const LedgerRow row = Row();
  EXPECT_EQ(row.dropped, Sum(dropped));
  EXPECT_EQ(row.pending, 1'000 - Sum(dropped));
  EXPECT_EQ(Row("alarms").pending, 1U);
  EXPECT_TRUE(Enforce().empty());
  Reopen();
  EXPECT_EQ(Row().dropped, Sum(dropped));
  ExpectVerified();
}

TEST_P(LimitsTest, WhatWasDeliveredMakesRoomBeforeAnythingIsDropped) {
  for (int i = 0; i < 20; ++i) {
    Fill(50);
  }
  limits_.max_bytes = queue_->Snapshot().bytes / 4 * 3;
  queue_->SetLimits(limits_);
  ASSERT_TRUE(Settle(Delivered(PrepareNext(500))));
  for (int i = 0; i < 8; ++i) {
    EXPECT_TRUE(queue_->EnforceLimits(clock_.Mono()).given_up.empty());
    ExpectVerified();
  }
  EXPECT_EQ(Row().pending, 500U);
  EXPECT_LE(queue_->Snapshot().bytes, limits_.max_bytes);
}

TEST_P(LimitsTest, DropsForTheDestinationThatIsBehindAreNotThoseOfTheOther) {
  streams_ = {{"telemetry", Lane::kNormal, {"cloud", "lake"}}};
  destinations_ = {"cloud", "lake"};
  Reopen();
  for (int i = 0; i < 20; ++i) {
    Fill(50);
  }
  ASSERT_TRUE(Settle(Delivered(PrepareNext(1'000))));
  limits_.max_bytes = 700'000;
  queue_->SetLimits(limits_);
  EXPECT_GT(Sum(Enforce()), 0U);
  EXPECT_EQ(Row("telemetry", "cloud").delivered, 1'000U);
  EXPECT_EQ(Row("telemetry", "cloud").dropped, 0U);
  EXPECT_GT(Row("telemetry", "lake").dropped, 0U);
  ExpectVerified();
}

TEST_P(LimitsTest, DropNewestTurnsArrivalsAwayUntilThereIsRoom) {
  limits_.overflow = {Overflow::kDropOldest, Overflow::kDropNewest, Overflow::kDropNewest};
  limits_.max_messages = 20;
  queue_->SetLimits(limits_);
  Fill(20);
  EXPECT_TRUE(Enforce().empty());
  EXPECT_EQ(queue_->Snapshot().full, "max_records");
  EXPECT_EQ(Append("too much"), 0U);
  EXPECT_EQ(Append("too much", "logs"), 0U);
  EXPECT_GT(Append("urgent", "alarms"), 0U);
  const std::vector<GivenUp> dropped = Enforce();
  ASSERT_EQ(dropped.size(), 3U);
  EXPECT_EQ(dropped[0].lane, Lane::kNormal);
  EXPECT_EQ(dropped[0].reason, "max_records");
  EXPECT_EQ(dropped[0].first, 0U);
  EXPECT_EQ(dropped[0].messages, 1U);
  EXPECT_EQ(dropped[2].lane, Lane::kUrgent) << "the lane with drop_oldest makes room itself";
  EXPECT_EQ(Row().received, 21U);
  EXPECT_EQ(Row().dropped, 1U);
  EXPECT_EQ(Row("logs").dropped, 1U);
  ASSERT_TRUE(Settle(Delivered(PrepareNext(5))));
  EXPECT_TRUE(Enforce().empty());
  EXPECT_EQ(queue_->Snapshot().full, "");
  EXPECT_GT(Append("fits"), 0U);
  ExpectVerified();
}

TEST_P(LimitsTest, OverMaxBytesDropNewestKeepsWhatIsThere) {
  limits_.overflow.fill(Overflow::kDropNewest);
  limits_.max_bytes = 300'000;
  queue_->SetLimits(limits_);
  Fill(400);
  EXPECT_TRUE(Enforce().empty());
  EXPECT_EQ(Append("too much"), 0U);
  EXPECT_EQ(Row().pending, 400U);
  EXPECT_EQ(Row().dropped, 1U);
  limits_ = {};
  queue_->SetLimits(limits_);
  EXPECT_GT(Append("without a limit"), 0U);
}

TEST_P(LimitsTest, WhatIsOverTheLimitsOfAReopenedQueueGoesToo) {
  Fill(30);
  queue_.reset();
  Options options = MakeOptions();
  options.limits.max_messages = 10;
  queue_ = *Open(std::move(options), clock_);
  EXPECT_EQ(Sum(Enforce()), 20U);
  EXPECT_EQ(Row().dropped, 20U);
}

TEST_P(LimitsTest, KilledAfterGivingUpItStaysGivenUp) {
  Fill(30);
  queue_.reset();
  const pid_t child = fork();
  if (child == 0) {
    Reopen();
    limits_.max_messages = 10;
    queue_->SetLimits(limits_);
    const LimitReport report = queue_->EnforceLimits(clock_.Mono());
    if (GetParam() == Mode::kWithoutJournal) {
      (void)queue_->VerifyLedger();  // without a journal only what is checkpointed is safe
    }
    _exit(report.given_up.size() == 1 ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_EQ(status, 0);
  Reopen();
  EXPECT_EQ(Row().dropped, 20U);
  EXPECT_EQ(Row().pending, 10U);
  EXPECT_EQ(queue_->Peek("cloud", Lane::kNormal, 1, 1)->messages.front().sequence, 21U);
  ExpectVerified();
}

TEST_P(LimitsTest, OwnRecordsAreCountedApart) {
  streams_.push_back({"gaps/cloud", Lane::kUrgent, {"cloud"}});
  Reopen();
  Append("p");
  EXPECT_TRUE(queue_->TryAppend(Message("{}", "gaps/cloud")));
  EXPECT_EQ(Row("gaps/cloud").received, 1U);
  EXPECT_EQ(Row("gaps/cloud").pending, 1U);
  EXPECT_EQ(queue_->ReadLedger()->Total().received, 1U);
  ExpectVerified();
  Reopen();
  EXPECT_EQ(queue_->Peek("cloud", Lane::kUrgent, 10, 1'000)->messages.size(), 1U);
}

TEST_P(LimitsTest, OneCallGivesUpABoundedPart) {
  for (int i = 0; i < 80; ++i) {
    Append("p");
    ExpectVerified();  // a row each
  }
  queue_.reset();
  cache_bytes_ = 0;
  Reopen();
  limits_.max_age = 1h;
  queue_->SetLimits(limits_);
  clock_.Advance(2h);
  EXPECT_TRUE(queue_->EnforceLimits(clock_.Mono()).given_up.empty());
  clock_.Advance(Expiry::Wait(limits_.max_age));
  EXPECT_EQ(Sum(queue_->EnforceLimits(clock_.Mono()).given_up), 64U);
  EXPECT_EQ(Sum(queue_->EnforceLimits(clock_.Mono()).given_up), 16U);
  EXPECT_EQ(Row().expired, 80U);
}

}  // namespace
}  // namespace packhorse::queue
