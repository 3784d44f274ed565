// What is stored is counted for a destination that is to start at the oldest, while the queue goes on.

#include <random>

#include "queue/clock/expiry.h"
#include "queue_fixture.h"

namespace packhorse::queue {
namespace {

using namespace std::chrono_literals;
using Ahead = Queue::Ahead;
using Payloads = std::vector<std::string>;

class CountAheadTest : public QueueTest {
 protected:
  // Each in a segment of its own.
  void Store(const Payloads& payloads, const std::string& stream = "telemetry") {
    for (const std::string& payload : payloads) {
      Append(payload, stream);
      ExpectVerified();
    }
  }
  // One segment.
  Ahead Count() {
    const Result<Ahead> counted = queue_->CountAhead(with_archive_, both_, 1);
    EXPECT_TRUE(counted) << counted.error().message;
    return counted.value_or(Ahead::kWaits);
  }
  void CountAll() {
    ASSERT_TRUE(test::WaitFor([&] { return Count() == Ahead::kDone; }));
  }
  void Count(int pieces) {
    for (int i = 0; i < pieces; ++i) {
      Ahead ahead = Ahead::kWaits;
      ASSERT_TRUE(test::WaitFor([&] { return (ahead = Count()) != Ahead::kWaits; }));
      ASSERT_EQ(ahead, Ahead::kMore);
    }
  }
  void AddArchive() {
    streams_ = with_archive_;
    destinations_ = both_;
    ASSERT_TRUE(queue_->Reconfigure(streams_, destinations_));
    ExpectVerified();
  }
  Payloads Waiting(const std::string& destination = "archive") {
    const Result<Pending> pending = queue_->Peek(destination, Lane::kNormal, 100, 1ULL << 30U);
    EXPECT_TRUE(pending);
    Payloads payloads;
    for (const StoredMessage& stored : pending->messages) {
      payloads.push_back(stored.message.payload);
    }
    return payloads;
  }
  void Deliver(std::size_t count) {
    ASSERT_TRUE(Settle(Delivered(PrepareNext(count))));
    ExpectVerified();
  }
  void ExpectArchiveReceived(std::uint64_t messages) {
    EXPECT_EQ(Row("telemetry", "archive").received, messages);
    EXPECT_EQ(Row("telemetry", "archive").pending, messages);
  }

  std::vector<StreamOptions> with_archive_ = {{"telemetry", Lane::kNormal, {"cloud", "archive"}},
                                              {"alarms", Lane::kUrgent, {"cloud"}}};
  std::vector<DestinationOptions> both_ = {"cloud", {"archive", StartAt::kOldest}};
};

INSTANTIATE_TEST_SUITE_P(Modes, CountAheadTest, ::testing::Values(Mode::kWindow, Mode::kStrict, Mode::kWithoutJournal),
                         NameOf);

// Elsewhere everything is on the disk before it can be delivered.
class CountAheadCacheTest : public CountAheadTest {};
INSTANTIATE_TEST_SUITE_P(Modes, CountAheadCacheTest, ::testing::Values(Mode::kWindow), NameOf);

TEST_P(CountAheadTest, APieceIsABoundedPartOfWhatIsStored) {
  Store({"one", "two", "three"});
  Store({"alarm"}, "alarms");
  Count(3);
  EXPECT_EQ(Count(), Ahead::kDone);
  AddArchive();
  EXPECT_EQ(Waiting(), (Payloads{"one", "two", "three"}));
  ExpectArchiveReceived(3);
  EXPECT_EQ(Row("alarms", "archive").received, 0U);
}

TEST_P(CountAheadTest, WhatComesBetweenTwoPiecesIsCountedOnce) {
  Store({"one", "two"});
  Count(1);
  Store({"three"});
  Count(1);
  Append("four");
  CountAll();
  Store({"five"});
  Append("six");
  AddArchive();
  Append("live");
  EXPECT_EQ(Waiting(), (Payloads{"one", "two", "three", "four", "five", "six"}));
  ExpectArchiveReceived(7);
}

TEST_P(CountAheadTest, WhatIsDeliveredMeanwhileStaysForIt) {
  Store({"one", "two", "three"});
  Count(1);
  Deliver(2);  // of which one is counted and one is not
  EXPECT_TRUE(queue_->Read(Lane::kNormal, 1));
  EXPECT_TRUE(queue_->Read(Lane::kNormal, 2));
  CountAll();
  Deliver(1);
  AddArchive();
  EXPECT_EQ(Waiting(), (Payloads{"one", "two", "three"}));
  ExpectArchiveReceived(3);
  EXPECT_EQ(Row("telemetry", "cloud").delivered, 3U);
}

TEST_P(CountAheadTest, WhatIsGivenUpMeanwhileStaysForItAndThenEndsForItToo) {
  Store({"old"});
  clock_.Advance(2h);
  Store({"new"});
  Count(1);
  Limits limits;
  limits.max_age = 1h;
  queue_->SetLimits(limits);
  EXPECT_EQ(queue_->EnforceLimits(clock_.Mono()).expire_soon.size(), 1U);
  clock_.Advance(Expiry::Wait(limits.max_age));
  EXPECT_EQ(queue_->EnforceLimits(clock_.Mono()).given_up.size(), 1U);
  ExpectVerified();
  CountAll();
  AddArchive();
  ExpectArchiveReceived(2);
  EXPECT_EQ(queue_->EnforceLimits(clock_.Mono()).expire_soon.size(), 1U);
  clock_.Advance(Expiry::Wait(limits.max_age));
  EXPECT_EQ(queue_->EnforceLimits(clock_.Mono()).given_up.size(), 1U);
  ExpectVerified();
  EXPECT_EQ(Row("telemetry", "archive").expired, 1U);
  EXPECT_EQ(Waiting(), Payloads{"new"});
}

TEST_P(CountAheadTest, WhatWasTrimmedBeforeIsNotCounted) {
  Store({"one", "two", "three"});
  Deliver(1);
  CountAll();
  AddArchive();
  EXPECT_EQ(Waiting(), (Payloads{"two", "three"}));
  ExpectArchiveReceived(2);
}

// It never reaches the disk: neither now nor because of the count.
TEST_P(CountAheadCacheTest, WhatIsDeliveredFromMemoryIsNotStoredForIt) {
  Store({"one"});
  ASSERT_EQ(Count(), Ahead::kDone);
  Append("two");
  Append("three");
  PrepareNext(1);
  const BatchId second = PrepareNext(1);
  ASSERT_TRUE(Settle(Delivered(second)));
  CountAll();
  AddArchive();
  EXPECT_EQ(Waiting(), (Payloads{"one", "three"}));
  ExpectArchiveReceived(2);
}

TEST_P(CountAheadTest, ForgottenItHoldsNothingBack) {
  Store({"one", "two"});
  Count(1);
  Deliver(1);
  queue_->ForgetCount();
  ASSERT_TRUE(test::WaitFor([&] { return !queue_->Read(Lane::kNormal, 1); })) << "at once, without anything else";
  AddArchive();
  EXPECT_EQ(Waiting(), Payloads{"two"});
  ExpectArchiveReceived(1);
}

TEST_P(CountAheadTest, AfterTheChangeItHoldsNothingBack) {
  Store({"one", "two"});
  CountAll();
  Deliver(1);
  ASSERT_TRUE(queue_->Reconfigure(streams_, {"cloud"})) << "another one than was announced";
  ASSERT_TRUE(test::WaitFor([&] { return !queue_->Read(Lane::kNormal, 1); }));
  ExpectVerified();
}

TEST_P(CountAheadTest, ForOneThatStartsNowOrIsThereOrGetsNothingThereIsNothingToCount) {
  Store({"one", "two", "three"});
  const auto counts = [&](const std::vector<StreamOptions>& streams,
                          const std::vector<DestinationOptions>& destinations) {
    const Result<Ahead> counted = queue_->CountAhead(streams, destinations, 1);
    return !counted || *counted != Ahead::kDone;
  };
  EXPECT_FALSE(counts(with_archive_, {"cloud", "archive"}));
  EXPECT_FALSE(counts(streams_, both_));
  EXPECT_FALSE(counts(streams_, {{"cloud", StartAt::kOldest}}));
  Deliver(1);
  EXPECT_FALSE(queue_->Read(Lane::kNormal, 1)) << "nothing is held back";
  EXPECT_TRUE(counts(with_archive_, both_));
  AddArchive();
  EXPECT_FALSE(counts(with_archive_, both_));
}

TEST_P(CountAheadTest, AnEndInTheMiddleLeavesNothingOfIt) {
  Store({"one", "two", "three"});
  Count(2);
  Deliver(1);
  Reopen();
  ExpectVerified();
  EXPECT_EQ(Row("telemetry", "archive").received, 0U);
  EXPECT_EQ(Waiting("cloud"), (Payloads{"two", "three"}));
  Append("four");
  ExpectVerified();
  EXPECT_FALSE(queue_->Read(Lane::kNormal, 1));
  CountAll();
  AddArchive();
  EXPECT_EQ(Waiting(), (Payloads{"two", "three", "four"}));
}

TEST_P(CountAheadTest, WhatIsRetainedStaysBeyondItsTimeAndIsCounted) {
  with_archive_[0].retain_delivered = streams_[0].retain_delivered = 1h;
  Reopen();
  Store({"one", "two"});
  Deliver(2);
  Count(1);
  clock_.Advance(2h);
  Store({"three"});
  CountAll();
  AddArchive();
  EXPECT_EQ(Waiting(), (Payloads{"one", "two", "three"}));
  ExpectArchiveReceived(3);
}

TEST_P(CountAheadTest, OverMaxBytesNothingIsDroppedMeanwhileAndWhatIsOfNoUseGoesFirst) {
  std::minstd_rand random(1);
  for (int i = 0; i < 20; ++i) {
    std::string payload(100'000, '\0');  // does not compress
    for (char& each : payload) {
      each = static_cast<char>(random());
    }
    Store({payload});
  }
  Limits limits;
  limits.max_bytes = queue_->Snapshot().bytes / 4 * 3;
  Count(3);
  queue_->SetLimits(limits);
  Deliver(10);
  for (int i = 0; i < 30; ++i) {
    clock_.Advance(1s);
    EXPECT_TRUE(queue_->EnforceLimits(clock_.Mono()).given_up.empty());
    ExpectVerified();
  }
  EXPECT_GT(queue_->Snapshot().bytes, limits.max_bytes);
  EXPECT_EQ(queue_->Snapshot().full, "max_bytes") << "arrivals are blocked or turned away as ever";
  queue_->ForgetCount();
  for (int i = 0; i < 30; ++i) {
    EXPECT_TRUE(queue_->EnforceLimits(clock_.Mono()).given_up.empty());
    clock_.Advance(1s);
    ExpectVerified();
  }
  EXPECT_LE(queue_->Snapshot().bytes, limits.max_bytes);
  EXPECT_EQ(Row().pending, 10U);
}

// Of which boot a stored message is, and what its stamp is worth, is known as long as it is held back.
TEST_P(CountAheadTest, StampsOfAnEarlierBootAreStillCorrectedForIt) {
  const WallTime right{std::chrono::microseconds(1'795'172'531'500'000)};
  queue_.reset();
  clock_.Reboot("boot-2", WallTime{30s});
  Reopen();
  Store({"early"});
  clock_.Advance(1min);
  clock_.SetWall(right);
  clock_.SetSynchronized(true);
  ASSERT_TRUE(queue_->LearnClock());
  ASSERT_TRUE(test::WaitFor([&] { return !queue_->ClockOfBoot().withholds; }));
  ExpectVerified();
  queue_.reset();
  clock_.Reboot("boot-3", right + 1h);
  clock_.SetSynchronized(true);
  Reopen();
  Store({"later"});
  Count(1);
  Deliver(2);
  Store({"last"});
  CountAll();
  AddArchive();
  const Result<Pending> pending = queue_->Peek("archive", Lane::kNormal, 100, 1ULL << 20U);
  ASSERT_EQ(pending->messages.size(), 3U);
  EXPECT_EQ(pending->messages[0].message.clock, ClockState::kRecovered);
  EXPECT_EQ(pending->messages[0].message.received_at, right - 1min);
}

}  // namespace
}  // namespace packhorse::queue
