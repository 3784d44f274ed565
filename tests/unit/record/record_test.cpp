#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "record/canonical_record.h"
#include "record/outcome.h"
#include "record/policies.h"
#include "record/raw_message.h"

namespace packhorse {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(RecordNames, LanesHaveTheirNameAndFirstLetter) {
  EXPECT_EQ(Name(Lane::kUrgent), "urgent");
  EXPECT_EQ(Name(Lane::kNormal), "normal");
  EXPECT_EQ(Name(Lane::kBulk), "bulk");
  EXPECT_EQ(Letter(Lane::kUrgent), 'u');
  EXPECT_EQ(Letter(Lane::kNormal), 'n');
  EXPECT_EQ(Letter(Lane::kBulk), 'b');
}

TEST(RecordNames, KindsAreThoseOfTheWire) {
  EXPECT_EQ(Name(RecordKind::kTelemetry), "telemetry");
  EXPECT_EQ(Name(RecordKind::kState), "state");
  EXPECT_EQ(Name(RecordKind::kMetadata), "metadata");
  EXPECT_EQ(Name(RecordKind::kConnectivity), "connectivity");
  EXPECT_EQ(Name(RecordKind::kGap), "gap");
}

TEST(RecordNames, TimeSourcesAreThoseOfTheWire) {
  EXPECT_EQ(Name(TimeSource::kDevice), "device");
  EXPECT_EQ(Name(TimeSource::kGateway), "gateway");
  EXPECT_EQ(Name(TimeSource::kNetwork), "network");
  EXPECT_EQ(Name(TimeSource::kRelative), "relative");
  EXPECT_EQ(Name(TimeSource::kNone), "none");
}

TEST(RecordNames, TimeQualitiesAreThoseOfTheWire) {
  EXPECT_EQ(Name(TimeQuality::kOk), "ok");
  EXPECT_EQ(Name(TimeQuality::kLate), "late");
  EXPECT_EQ(Name(TimeQuality::kFuture), "future");
  EXPECT_EQ(Name(TimeQuality::kUnsynced), "unsynced");
  EXPECT_EQ(Name(TimeQuality::kNoZone), "no_zone");
  EXPECT_EQ(Name(TimeQuality::kAmbiguous), "ambiguous");
  EXPECT_EQ(Name(TimeQuality::kImplausible), "implausible");
  EXPECT_EQ(Name(TimeQuality::kUnparsed), "unparsed");
  EXPECT_EQ(Name(TimeQuality::kAbsent), "absent");
}

TEST(RecordNames, OutcomesAreThoseOfTheLedgerFromBestToWorst) {
  EXPECT_EQ(Name(Outcome::kDelivered), "delivered");
  EXPECT_EQ(Name(Outcome::kDeduplicated), "deduplicated");
  EXPECT_EQ(Name(Outcome::kExpired), "expired");
  EXPECT_EQ(Name(Outcome::kDropped), "dropped");
  EXPECT_EQ(Name(Outcome::kQuarantined), "quarantined");
  EXPECT_EQ(Name(Outcome::kRejected), "rejected");
  EXPECT_LT(Outcome::kDelivered, Outcome::kDeduplicated);
  EXPECT_LT(Outcome::kDropped, Outcome::kQuarantined);
  EXPECT_LT(Outcome::kQuarantined, Outcome::kRejected);
  EXPECT_EQ(Name(Outcome::kSkipped), "skipped");
  EXPECT_EQ(Name(Outcome::kIgnored), "ignored");
}

TEST(RecordNames, WorseOfTwoOutcomesCountsAndWhatIsSkippedCountsLeast) {
  EXPECT_EQ(WorseOf(Outcome::kDelivered, Outcome::kRejected), Outcome::kRejected);
  EXPECT_EQ(WorseOf(Outcome::kQuarantined, Outcome::kDropped), Outcome::kQuarantined);
  EXPECT_EQ(WorseOf(Outcome::kDelivered, Outcome::kSkipped), Outcome::kDelivered);
  EXPECT_EQ(WorseOf(Outcome::kSkipped, Outcome::kRejected), Outcome::kRejected);
  EXPECT_EQ(WorseOf(Outcome::kIgnored, Outcome::kSkipped), Outcome::kSkipped);
}

TEST(RecordNames, PoliciesAreThoseOfTheConfiguration) {
  EXPECT_EQ(Name(RetainedPolicy::kState), "state");
  EXPECT_EQ(Name(RetainedPolicy::kIgnore), "ignore");
  EXPECT_EQ(Name(RetainedPolicy::kTelemetry), "telemetry");
  EXPECT_EQ(Name(Overflow::kDropOldest), "drop_oldest");
  EXPECT_EQ(Name(Overflow::kDropNewest), "drop_newest");
  EXPECT_EQ(Name(Overflow::kBlock), "block");
}

TEST(RecordNames, ANameIsFoundAgainAndNoOther) {
  for (const Lane lane : kAllLanes) {
    EXPECT_EQ(ParseLane(Name(lane)), lane);
  }
  EXPECT_EQ(ParseRetainedPolicy("telemetry"), RetainedPolicy::kTelemetry);
  EXPECT_EQ(ParseOverflow("block"), Overflow::kBlock);
  EXPECT_EQ(ParseLane("Urgent"), std::nullopt);
  EXPECT_EQ(ParseLane(""), std::nullopt);
  EXPECT_EQ(ParseOverflow("unknown"), std::nullopt);
}

TEST(RecordNames, AValueOutsideTheEnumIsUnknownAndDoesNotCrash) {
  EXPECT_EQ(Name(static_cast<Lane>(200)), "unknown");
  EXPECT_EQ(Name(static_cast<RecordKind>(200)), "unknown");
  EXPECT_EQ(Name(static_cast<TimeSource>(200)), "unknown");
  EXPECT_EQ(Name(static_cast<TimeQuality>(200)), "unknown");
  EXPECT_EQ(Name(static_cast<Outcome>(200)), "unknown");
}

TEST(Flags, NoneHasNoNames) { EXPECT_THAT(Names(0), IsEmpty()); }

TEST(Flags, NamesComeInWireOrder) {
  Flags flags = 0;
  flags = flags | Flag::kClockSuspect;
  flags = flags | Flag::kBackfilled;
  flags = flags | Flag::kRetained;
  EXPECT_THAT(Names(flags), ElementsAre("backfilled", "retained", "clock_suspect"));
  EXPECT_TRUE(Has(flags, Flag::kRetained));
  EXPECT_FALSE(Has(flags, Flag::kStale));
}

TEST(Flags, EveryBitHasItsName) {
  EXPECT_THAT(Names((1U << 12U) - 1), ElementsAre("backfilled", "redelivered", "replayed", "retained",
                                                  "duplicate_suspect", "out_of_order", "stale", "unknown_enum",
                                                  "unknown_field", "lossy_decode", "clock_suspect", "out_of_sequence"));
}

TEST(Flags, UnknownBitsAreIgnored) { EXPECT_THAT(Names(0xFFFF'F000U), IsEmpty()); }

TEST(RecordId, IsMadeOfQueueLaneAndSequence) {
  EXPECT_EQ(RecordId("k3f9", Lane::kNormal, 1'001, std::nullopt), "k3f9.n.1001");
  EXPECT_EQ(RecordId("k3f9", Lane::kUrgent, 1, std::nullopt), "k3f9.u.1");
}

TEST(RecordId, HasAnIndexOnlyWhenOneMessageGaveSeveralRecords) {
  EXPECT_EQ(RecordId("k3f9", Lane::kBulk, 7, 0), "k3f9.b.7.0");
  EXPECT_EQ(RecordId("k3f9", Lane::kBulk, 7, 12), "k3f9.b.7.12");
}

TEST(RecordId, IsWrittenInPlaceOfAnother) {
  std::string id = "an id that was longer than the one that comes in its place";
  const char* const memory = id.data();
  WriteRecordId(id, "k3f9", Lane::kBulk, 7, RecordIndex(2, 3));
  EXPECT_EQ(id, "k3f9.b.7.2");
  EXPECT_EQ(id.data(), memory);
  WriteRecordId(id, "k3f9", Lane::kBulk, 8, RecordIndex(0, 1));
  EXPECT_EQ(id, "k3f9.b.8");
}

TEST(RecordId, ReadsBackWhatItWroteAndNothingElse) {
  const auto key = ParseRecordId("k3f9.b.7.12");
  ASSERT_TRUE(key);
  EXPECT_EQ(RecordId(key->queue_id, key->lane, key->sequence, key->index), "k3f9.b.7.12");
  EXPECT_EQ(ParseRecordId("k3f9.u.18446744073709551615")->sequence, 18'446'744'073'709'551'615ULL);
  EXPECT_EQ(ParseRecordId("k3f9.n.1")->index, std::nullopt);
  for (const char* text :
       {"", ".", "...", "k3f9", "k3f9.n", "k3f9.n.", ".n.1", "k3f9.x.1", "k3f9.nn.1", "k3f9.n.01", "k3f9.n.-1",
        "k3f9.n.1.", "k3f9.n.1.a", "k3f9.n.1.2.3", "k3f9.n.1 ", "k3f9.n.18446744073709551616", "k3f9.n.1.4294967296"}) {
    EXPECT_FALSE(ParseRecordId(text)) << text;
  }
}

TEST(RecordId, TheLargestSequenceKeepsAllItsDigits) {
  EXPECT_EQ(RecordId("q", Lane::kNormal, 18'446'744'073'709'551'615ULL, 4'294'967'295U),
            "q.n.18446744073709551615.4294967295");
}

}  // namespace
}  // namespace packhorse
