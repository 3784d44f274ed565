// What `where` says of messages that a limit has cost.

#include "queue/values/given_up.h"

#include <limits>

#include "queue/clock/expiry.h"
#include "queue/sqlite/database.h"
#include "queue/values/trace.h"
#include "queue_fixture.h"

namespace packhorse::queue {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

class GivenUpTest : public QueueTest {
 protected:
  MessageTrace Find(Sequence sequence, Lane lane = Lane::kNormal) {
    Result<MessageTrace> found = queue_->Trace(lane, sequence, std::nullopt);
    EXPECT_TRUE(found) << found.error().message;
    return found ? *std::move(found) : MessageTrace{};
  }
  Place PlaceOf(Sequence sequence, const std::string& destination = "cloud", Lane lane = Lane::kNormal) {
    for (const Place& place : Find(sequence, lane).places) {
      if (place.destination == destination) {
        return place;
      }
    }
    return {};
  }
  void Keep(std::uint64_t messages) {
    Limits limits;
    limits.max_messages = messages;
    queue_->SetLimits(limits);
    EXPECT_FALSE(queue_->EnforceLimits(clock_.Mono()).problem);
    queue_->SetLimits(Limits());
  }
  void Expire() {
    clock_.Advance(hours(2));
    Limits limits;
    limits.max_age = hours(1);
    queue_->SetLimits(limits);
    EXPECT_FALSE(queue_->EnforceLimits(clock_.Mono()).expire_soon.empty());
    clock_.Advance(Expiry::Wait(limits.max_age));  // nothing goes before it has been told for so long
    EXPECT_FALSE(queue_->EnforceLimits(clock_.Mono()).problem);
    queue_->SetLimits(Limits());
  }
  std::int64_t Rows() {
    Result<Database> db = Database::Open(dir_ / "queue.db", Database::Mode::kReadOnly);
    return db ? db->QueryInt("SELECT count(*) FROM given_up").value_or(-1) : -1;
  }
};

INSTANTIATE_TEST_SUITE_P(Modes, GivenUpTest, ::testing::Values(Mode::kWindow, Mode::kStrict, Mode::kWithoutJournal),
                         NameOf);

TEST_P(GivenUpTest, ADroppedMessageSaysWhenAndWhyAlsoAfterARestart) {
  for (int i = 0; i < 10; ++i) {
    Append("a");
  }
  Keep(6);
  const WallTime when = clock_.Wall();
  clock_.Advance(seconds(5));
  for (int life = 0; life < 2; ++life) {
    const Place place = PlaceOf(2);
    EXPECT_EQ(place.state, PlaceState::kDropped);
    EXPECT_TRUE(place.certain);
    ASSERT_TRUE(place.given_up);
    EXPECT_EQ(place.given_up->reason, "max_records");
    EXPECT_EQ(place.given_up->from_at, when);
    EXPECT_EQ(place.given_up->until_at, when);
    EXPECT_EQ(place.given_up->first, 1U);
    EXPECT_EQ(place.given_up->messages, place.given_up->last);
    EXPECT_EQ(PlaceOf(9).state, PlaceState::kWaiting);
    Reopen();
  }
  ExpectVerified();
}

TEST_P(GivenUpTest, AnExpiredMessageIsToldApartFromADroppedOne) {
  for (int i = 0; i < 10; ++i) {
    Append("a");
  }
  Keep(6);
  Expire();
  EXPECT_EQ(PlaceOf(1).state, PlaceState::kDropped);
  const Place place = PlaceOf(9);
  EXPECT_EQ(place.state, PlaceState::kExpired);
  EXPECT_EQ(place.given_up->reason, "max_age");
  EXPECT_EQ(Rows(), 2);
}

TEST_P(GivenUpTest, WhatGoesPieceByPieceIsOneRowAnHour) {
  for (int i = 0; i < 40; ++i) {
    Append("a");
    Keep(1);
    clock_.Advance(minutes(3));
    ASSERT_TRUE(queue_->VerifyLedger());
  }
  EXPECT_EQ(PlaceOf(1).state, PlaceState::kDropped);
  EXPECT_EQ(PlaceOf(39).state, PlaceState::kDropped);
  EXPECT_LE(Rows(), 3);
  EXPECT_LE(PlaceOf(20).given_up->until_at - PlaceOf(20).given_up->from_at, hours(1));
}

TEST_P(GivenUpTest, WhatWasDeliveredBeforeIsNotSaidToBeDropped) {
  Append("a");
  Append("b");
  ASSERT_TRUE(Settle(Delivered(PrepareNext(1))));
  Append("c");
  Keep(1);
  EXPECT_EQ(PlaceOf(1).state, PlaceState::kDelivered);
  EXPECT_EQ(PlaceOf(2).state, PlaceState::kDropped);
}

TEST_P(GivenUpTest, EachDestinationHasItsOwnAnswer) {
  destinations_ = {"archive", "cloud"};
  streams_ = {{"telemetry", Lane::kNormal, {"archive", "cloud"}}};
  Reopen();
  Append("a");
  Append("b");
  ASSERT_TRUE(Settle(Delivered(PrepareNext(2))));
  Append("c");
  Keep(1);
  EXPECT_EQ(PlaceOf(1).state, PlaceState::kDelivered);
  EXPECT_EQ(PlaceOf(1, "archive").state, PlaceState::kDropped);
  EXPECT_TRUE(PlaceOf(1, "archive").certain);
}

TEST_P(GivenUpTest, AMessageOfAStreamThatTheDestinationMayNotHaveWantedIsNoCertainty) {
  destinations_ = {"archive", "cloud"};
  streams_ = {{"telemetry", Lane::kNormal, {"cloud"}}, {"notes", Lane::kNormal, {"archive"}}};
  Reopen();
  Append("a");
  Append("x", "notes");
  for (int i = 0; i < 8; ++i) {
    Append("a");
  }
  Keep(1);
  EXPECT_EQ(PlaceOf(2, "archive").state, PlaceState::kWaiting) << "its stream is known: it never was the cloud's";
  EXPECT_EQ(Find(2).places.size(), 1U);
  EXPECT_EQ(PlaceOf(3).state, PlaceState::kDropped);
}

TEST_P(GivenUpTest, TheLogIsBounded) {
  Options options = MakeOptions();
  options.max_given_up = 3;
  queue_.reset();
  queue_ = *Open(std::move(options), clock_);
  for (int i = 0; i < 8; ++i) {
    Append("a");
    Append("b");
    Keep(1);
    ASSERT_TRUE(Settle(Delivered(PrepareNext(1))));  // so that the next range does not follow this one
    clock_.Advance(hours(1));
    Find(1);  // checkpoints
  }
  EXPECT_LE(Rows(), 4) << "trimmed now and then";
  EXPECT_EQ(PlaceOf(1).state, PlaceState::kEnded);
}

TEST(GivenUpLog, OnlyWhatFollowsAtOnceForTheSameReasonIsOneRange) {
  const WallTime at{hours(400'000)};
  const GivenUpRange first{"", 1, 10, 10, Outcome::kDropped, "max_bytes", at, at};
  const GivenUpRange next{"", 11, 20, 8, Outcome::kDropped, "max_bytes", at + minutes(59), at + minutes(59)};
  EXPECT_TRUE(Continues(first, next));
  GivenUpRange other = next;
  other.first = 12;
  EXPECT_FALSE(Continues(first, other));
  other = next;
  other.reason = "max_records";
  EXPECT_FALSE(Continues(first, other));
  other = next;
  other.outcome = Outcome::kExpired;
  EXPECT_FALSE(Continues(first, other));
  other = next;
  other.until_at = at + hours(1);
  EXPECT_FALSE(Continues(first, other)) << "or it could not be said when";
  std::vector<GivenUpRange> log;
  LogGivenUp(log, first);
  LogGivenUp(log, next);
  ASSERT_EQ(log.size(), 1U);
  EXPECT_EQ(log[0].last, 20U);
  EXPECT_EQ(log[0].messages, 18U);
  EXPECT_FALSE(log[0].whole());
  EXPECT_EQ(log[0].from_at, at);
  EXPECT_EQ(log[0].until_at, at + minutes(59));
}

}  // namespace
}  // namespace packhorse::queue
