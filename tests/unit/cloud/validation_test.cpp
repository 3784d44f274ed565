#include "validation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "bodies.h"
#include "record_id.h"

namespace packhorse::cloud::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class Validate : public testing::Test {
 protected:
  Validation Check(const json& body) {
    text_ = body.dump();
    return validator_.Check(text_);
  }
  Validator validator_{{"temperature"}};
  std::string text_;
};

TEST_F(Validate, GoodBodyGivesItsRecords) {
  const Validation result = Check(Body({Record(1001), Record(1002, "18")}));
  ASSERT_TRUE(result.ok);
  EXPECT_EQ(result.batch.gateway_id, "gw-0042");
  EXPECT_EQ(result.batch.lane, "normal");
  ASSERT_EQ(result.batch.records.size(), 2U);
  const ReceivedRecord& record = result.batch.records[1];
  EXPECT_EQ(record.record_id, "k3f9.n.1002");
  EXPECT_EQ(record.queue_id, "k3f9");
  EXPECT_EQ(record.lane, "n");
  EXPECT_EQ(record.sequence, 1002U);
  EXPECT_EQ(record.device_id, "18");
  EXPECT_EQ(record.flags, "backfilled");
  EXPECT_EQ(json::parse(record.measurements)["temperature"]["value"], 21.5);
  ASSERT_EQ(record.sums.size(), 1U);
  EXPECT_EQ(record.sums[0].first, "temperature");
  EXPECT_EQ(record.sums[0].second, 21.5);
}

TEST_F(Validate, UnknownMembersAreFineBecauseTheContractGrows) {
  json body = Body({Record(1)});
  body["new"] = 1;
  body["gateway"]["new"] = 1;
  body["batch"]["new"] = 1;
  body["records"][0]["new"] = {{"deep", true}};
  body["records"][0]["measurements"]["seq"]["new"] = 1;
  body["records"][0]["flags"] = {"a_flag_of_next_year"};
  EXPECT_TRUE(Check(body).ok);
}

TEST_F(Validate, OptionalMembersMayBeAbsent) {
  json body = Body({Record(1)});
  for (const char* name : {"device_id", "measurements", "attributes", "flags"}) {
    body["records"][0].erase(name);
  }
  body["gateway"].erase("attributes");
  EXPECT_TRUE(Check(body).ok);
}

TEST_F(Validate, GapRecordNeedsNoTopicAndNoContract) {
  json body = Body({Record(1)});
  body["records"][0]["kind"] = "gap";
  body["records"][0].erase("topic");
  body["records"][0].erase("contract");
  EXPECT_TRUE(Check(body).ok);
}

TEST_F(Validate, SeveralRecordsOfOneMessageShareItsSequence) {
  json first = Record(7);
  json second = Record(7);
  first["record_id"] = "k3f9.n.7.0";
  second["record_id"] = "k3f9.n.7.1";
  const Validation result = Check(Body({first, second}));
  ASSERT_TRUE(result.ok);
  EXPECT_EQ(result.batch.records[1].part, 1U);
}

struct Mistake {
  const char* name;
  std::function<void(json&)> make;
  const char* pointer;
  const char* detail;
};

class ValidateMistake : public testing::TestWithParam<Mistake> {};

TEST_P(ValidateMistake, IsNamedWithItsPointer) {
  json body = Body({Record(1), Record(2)});
  GetParam().make(body);
  Validator validator({});
  const std::string text = body.dump();
  const Validation result = validator.Check(text);
  EXPECT_FALSE(result.ok);
  ASSERT_EQ(result.refusal.violation_count, 1U)
      << (result.refusal.violations.empty()
              ? "none"
              : result.refusal.violations.back().pointer + " " + result.refusal.violations.back().detail);
  EXPECT_EQ(result.refusal.violations[0].pointer, GetParam().pointer);
  EXPECT_THAT(result.refusal.violations[0].detail, HasSubstr(GetParam().detail));
}

json& R(json& body) { return body["records"][1]; }

INSTANTIATE_TEST_SUITE_P(
    All, ValidateMistake,
    testing::Values(
        Mistake{"NotAnObject", [](json& b) { b = json::array(); }, "", "object"},
        Mistake{"OtherContract", [](json& b) { b["contract"] = "packhorse-ingest@2.0"; }, "/contract", "@1"},
        Mistake{"NoContract", [](json& b) { b.erase("contract"); }, "/contract", "missing"},
        Mistake{"NoGateway", [](json& b) { b.erase("gateway"); }, "/gateway", "missing"},
        Mistake{"EmptyGatewayId", [](json& b) { b["gateway"]["id"] = ""; }, "/gateway/id", "1 to 256"},
        Mistake{"GatewayAttributeNumber", [](json& b) { b["gateway"]["attributes"]["a/b"] = 1; },
                "/gateway/attributes/a~1b", "text"},
        Mistake{"NoBatchId", [](json& b) { b["batch"].erase("id"); }, "/batch/id", "missing"},
        Mistake{"UnknownLane", [](json& b) { b["batch"]["lane"] = "slow"; }, "/batch/lane", "urgent, normal, bulk"},
        Mistake{"OtherLane",
                [](json& b) {
                  R(b)["record_id"] = "k3f9.u.2";
                },
                "/records/1/record_id", "lane urgent"},
        Mistake{"WrongCount", [](json& b) { b["batch"]["records"] = 3; }, "/batch/records", "has 2 records"},
        Mistake{"NegativeCount", [](json& b) { b["batch"]["records"] = -1; }, "/batch/records", "integer"},
        Mistake{"NoRecords",
                [](json& b) {
                  b.erase("records");
                  b["batch"]["records"] = 0;
                },
                "/records", "missing"},
        Mistake{"RecordsObject", [](json& b) { b["records"] = json::object(); }, "/records", "array"},
        Mistake{"RecordNumber", [](json& b) { R(b) = 5; }, "/records/1", "object"},
        Mistake{"NoRecordId", [](json& b) { R(b).erase("record_id"); }, "/records/1/record_id", "missing"},
        Mistake{"BadRecordId",
                [](json& b) {
                  R(b)["record_id"] = "k3!9.n.2";
                },
                "/records/1/record_id", "queue id"},
        Mistake{"RecordIdTwice",
                [](json& b) {
                  R(b)["record_id"] = "k3f9.n.1";
                  R(b)["sequence"] = 1;
                },
                "/records/1/record_id", "twice"},
        Mistake{"OtherSequence",
                [](json& b) {
                  R(b)["sequence"] = 9;
                },
                "/records/1/sequence", "says 2"},
        Mistake{"UnknownKind",
                [](json& b) {
                  R(b)["kind"] = "event";
                },
                "/records/1/kind", "connectivity"},
        Mistake{"NoStream", [](json& b) { R(b).erase("stream"); }, "/records/1/stream", "missing"},
        Mistake{"DeviceIdNumber",
                [](json& b) {
                  R(b)["device_id"] = 17;
                },
                "/records/1/device_id", "text"},
        Mistake{"TimeWithoutMicros",
                [](json& b) {
                  R(b)["server_received_at"] = "2026-11-20T09:12:01Z";
                },
                "/records/1/server_received_at", "six fraction digits"},
        Mistake{"TimeWithZone",
                [](json& b) {
                  R(b)["server_received_at"] = "2026-11-20T09:12:01.123456+01:00";
                },
                "/records/1/server_received_at", "UTC"},
        Mistake{"RecoveredWithoutRaw",
                [](json& b) {
                  R(b)["gateway_clock"] = "recovered";
                },
                "/records/1/server_received_at_raw", "missing"},
        Mistake{"RawWithoutRecovered",
                [](json& b) {
                  R(b)["server_received_at_raw"] = "1970-01-01T00:01:30.000001Z";
                },
                "/records/1/server_received_at_raw", "only for"},
        Mistake{"NoDeviceTime", [](json& b) { R(b).erase("device_time"); }, "/records/1/device_time", "missing"},
        Mistake{"NoMeasurement",
                [](json& b) {
                  R(b)["measurements"] = json::object();
                },
                "/records/1/measurements", "empty"},
        Mistake{"NoAttribute",
                [](json& b) {
                  R(b)["attributes"] = json::object();
                },
                "/records/1/attributes", "empty"},
        Mistake{"NoFlag",
                [](json& b) {
                  R(b)["flags"] = json::array();
                },
                "/records/1/flags", "empty"},
        Mistake{"FlagTwice",
                [](json& b) {
                  R(b)["flags"] = {"stale", "stale"};
                },
                "/records/1/flags/1", "twice"},
        Mistake{"FlagForm",
                [](json& b) {
                  R(b)["flags"] = {"Stale"};
                },
                "/records/1/flags/0", "a-z"},
        Mistake{"ClockUnknown",
                [](json& b) {
                  R(b)["gateway_clock"] = "fine";
                },
                "/records/1/gateway_clock", "one of"},
        Mistake{"DeviceTimeText",
                [](json& b) {
                  R(b)["device_time"] = "now";
                },
                "/records/1/device_time", "object"},
        Mistake{"DeviceTimeValue",
                [](json& b) {
                  R(b)["device_time"]["value"] = "yesterday";
                },
                "/records/1/device_time/value", "RFC 3339"},
        Mistake{"DeviceTimeRaw",
                [](json& b) {
                  R(b)["device_time"]["raw"] = 1;
                },
                "/records/1/device_time/raw", "text"},
        Mistake{"TimeQuality",
                [](json& b) {
                  R(b)["device_time"]["quality"] = "good";
                },
                "/records/1/device_time/quality", "no_zone"},
        Mistake{"SkewText",
                [](json& b) {
                  R(b)["device_time"]["skew_ms"] = 1.5;
                },
                "/records/1/device_time/skew_ms", "integer"},
        Mistake{"ContractName",
                [](json& b) {
                  R(b)["contract"] = "generic-json";
                },
                "/records/1/contract", "major.minor"},
        Mistake{"NoTopic", [](json& b) { R(b).erase("topic"); }, "/records/1/topic", "missing"},
        Mistake{"MeasurementNumber",
                [](json& b) {
                  R(b)["measurements"]["a"] = 5;
                },
                "/records/1/measurements/a", "object"},
        Mistake{"MeasurementText",
                [](json& b) {
                  R(b)["measurements"]["a"] = {{"value", "x"}};
                },
                "/records/1/measurements/a/value", "number"},
        Mistake{"MeasurementEmpty",
                [](json& b) {
                  R(b)["measurements"]["a"] = json::object();
                },
                "/records/1/measurements/a/value", "missing"},
        Mistake{"AttributeObject",
                [](json& b) {
                  R(b)["attributes"]["a"] = json::object();
                },
                "/records/1/attributes/a", "text"},
        Mistake{"FlagsText",
                [](json& b) {
                  R(b)["flags"] = "x";
                },
                "/records/1/flags", "array"},
        Mistake{"FlagNumber",
                [](json& b) {
                  R(b)["flags"] = {"x", 1};
                },
                "/records/1/flags/1", "text"}),
    [](const testing::TestParamInfo<Mistake>& mistake) { return std::string(mistake.param.name); });

TEST_F(Validate, AllMistakesAreNamedAtOnce) {
  json body = Body({Record(1), Record(2)});
  body.erase("contract");
  body["records"][0]["kind"] = 1;
  body["records"][1]["flags"] = true;
  const Validation result = Check(body);
  EXPECT_EQ(result.refusal.violation_count, 3U);
  EXPECT_EQ(result.refusal.violations.size(), 3U);
}

TEST_F(Validate, ListOfMistakesIsBounded) {
  std::vector<json> records;
  for (std::uint64_t i = 0; i < 150; ++i) {
    records.push_back(Record(i));
    records.back().erase("kind");
  }
  const Validation result = Check(Body(records));
  EXPECT_EQ(result.refusal.violation_count, 150U);
  EXPECT_EQ(result.refusal.violations.size(), kMaxViolations);
}

TEST_F(Validate, WhatIsNotJsonIsNotAViolation) {
  for (const std::string body : {"", "{", "{\"a\":\"\xff\"}", "nonsense", "{} {}"}) {
    const Validation result = validator_.Check(body);
    EXPECT_FALSE(result.ok) << body;
    EXPECT_FALSE(result.refusal.is_json) << body;
    EXPECT_FALSE(result.refusal.syntax.empty()) << body;
  }
}

TEST_F(Validate, DepthIsBounded) {
  const std::string deep = std::string(10'000, '[') + std::string(10'000, ']');
  EXPECT_FALSE(validator_.Check(deep).refusal.is_json);
}

TEST(UtcTime, OnlyRfc3339InUtcPasses) {
  EXPECT_TRUE(IsUtcTime("2026-11-20T09:12:01Z", false));
  EXPECT_TRUE(IsUtcTime("2026-11-20T09:12:01.123456789Z", false));
  EXPECT_TRUE(IsUtcTime("2026-11-20T09:12:01.123456Z", true));
  for (const char* text :
       {"", "Z", "2026-11-20", "2026-11-20T09:12:01", "2026-11-20T09:12:01+00:00", "2026-11-20 09:12:01Z",
        "2026-13-20T09:12:01Z", "2026-11-32T09:12:01Z", "2026-11-20T24:12:01Z", "2026-11-20T09:60:01Z",
        "2026-11-20T09:12:61Z", "2026-11-20T09:12:01.Z", "2026-11-20T09:12:01.1Z", "2026-11-20T09:12:01.1234567890Z",
        "2026-11-20T09:12:01,5Z"}) {
    EXPECT_FALSE(IsUtcTime(text, false)) << text;
  }
}

TEST(RecordId, IsSplitIntoItsParts) {
  const RecordIdParts parts = SplitRecordId("k3f9.b.18446744073709551615.2");
  EXPECT_TRUE(parts.valid);
  EXPECT_EQ(parts.queue_id, "k3f9");
  EXPECT_EQ(parts.lane, "b");
  EXPECT_EQ(parts.sequence, 18446744073709551615U);
  EXPECT_EQ(parts.part, 2U);
}

TEST(RecordId, WhatIsNoneIsRefused) {
  for (const char* text : {"", ".", "k3f9", "k3f9.n", "k3f9.n.", ".n.1", "k3f9.x.1", "k3f9.n.x1", "k3f9.n.-1",
                           "k3f9.n.1.", "k3f9.n.1.x", "k3f9.n.1.2.3", "k3 9.n.1", "k3f9.n.18446744073709551616"}) {
    EXPECT_FALSE(SplitRecordId(text).valid) << text;
  }
}

}  // namespace
}  // namespace packhorse::cloud::test
