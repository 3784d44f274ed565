#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/topic.h"
#include "decode_fixture.h"

namespace packhorse::contract {
namespace {

using GenericJson = DecodeFixture;

std::vector<std::string> Ids(const Decoded& decoded) {
  std::vector<std::string> ids;
  for (const CanonicalRecord& record : decoded.records) {
    ids.push_back(record.record_id);
  }
  return ids;
}

TEST_F(GenericJson, NumbersAndBooleansAreMeasurementsTextsAreAttributes) {
  const CanonicalRecord record = One(R"({"i":-3,"u":18446744073709551615,"d":21.5,"b":true,"n":null,"s":"x","e":""})");
  ASSERT_EQ(record.measurements.size(), 5U);
  EXPECT_EQ(record.measurements[0].name, "i");
  EXPECT_EQ(ValueOf(record, "i"), Value(std::int64_t{-3}));
  EXPECT_EQ(ValueOf(record, "u"), Value(std::uint64_t{18446744073709551615U}));
  EXPECT_EQ(ValueOf(record, "d"), Value(21.5));
  EXPECT_EQ(ValueOf(record, "b"), Value(true));
  EXPECT_EQ(ValueOf(record, "n"), Value(nullptr));
  ASSERT_EQ(record.attributes.size(), 2U);
  EXPECT_EQ(record.attributes[0].value, Value(std::string("x")));
  EXPECT_EQ(record.attributes[1].value, Value(std::string()));
  EXPECT_EQ(record.flags, 0U);
}

TEST_F(GenericJson, TheRecordCarriesWhatArrivalKnew) {
  const CanonicalRecord record = One("{\"a\":1}");
  EXPECT_EQ(record.record_id, "k3f9.n.1001");
  EXPECT_EQ(record.sequence, 1001U);
  EXPECT_EQ(record.kind, RecordKind::kTelemetry);
  EXPECT_EQ(record.stream, "telemetry");
  EXPECT_EQ(record.topic, "site/a/dev/17/telemetry");
  EXPECT_EQ(record.contract, "generic-json@1.1");
  EXPECT_EQ(record.server_received_at, kArrived);
  EXPECT_EQ(record.gateway_clock, ClockState::kSynchronized);
  EXPECT_FALSE(record.server_received_at_raw);
}

TEST_F(GenericJson, NestedNamesAreJoinedAndArraysCounted) {
  const CanonicalRecord record =
      One(R"({"gps":{"lat":1.5,"fix":{"n":7}},"vib":[1,2.5],"m":[[1,2],[3]],"_dbg":{"tasks":[1,{"n":"x"}]},
              "empty":{},"none":[]})");
  EXPECT_EQ(ValueOf(record, "gps.lat"), Value(1.5));
  EXPECT_EQ(ValueOf(record, "gps.fix.n"), Value(std::int64_t{7}));
  EXPECT_EQ(ValueOf(record, "vib.0"), Value(std::int64_t{1}));
  EXPECT_EQ(ValueOf(record, "vib.1"), Value(2.5));
  EXPECT_EQ(ValueOf(record, "m.0.1"), Value(std::int64_t{2}));
  EXPECT_EQ(ValueOf(record, "m.1.0"), Value(std::int64_t{3}));
  EXPECT_EQ(ValueOf(record, "_dbg.tasks.0"), Value(std::int64_t{1}));
  EXPECT_EQ(ValueOf(record, "_dbg.tasks.1.n"), Value(std::string("x")));
  EXPECT_EQ(record.measurements.size() + record.attributes.size(), 9U);
}

TEST_F(GenericJson, AwkwardNamesStayAsTheyAre) {
  const CanonicalRecord record =
      One("{\"$schema\":\"u\",\"_x\":1,\"\":2,\"Temp\xC3\xA9\":3,\"a b\":4,\"o\":{\"\":5},\"\\u0000\":6}");
  EXPECT_EQ(ValueOf(record, "$schema"), Value(std::string("u")));
  EXPECT_EQ(ValueOf(record, "_x"), Value(std::int64_t{1}));
  EXPECT_EQ(ValueOf(record, ""), Value(std::int64_t{2}));
  EXPECT_EQ(ValueOf(record, "Temp\xC3\xA9"), Value(std::int64_t{3}));
  EXPECT_EQ(ValueOf(record, "a b"), Value(std::int64_t{4}));
  EXPECT_EQ(ValueOf(record, "o."), Value(std::int64_t{5}));
  EXPECT_EQ(ValueOf(record, std::string_view("\0", 1)), Value(std::int64_t{6}));
  EXPECT_EQ(record.flags, 0U);
}

TEST_F(GenericJson, MemberOfAnObjectWithoutANameIsNotAMemberOfTheRoot) {
  const CanonicalRecord record = One(R"({"a":1,"":{"a":2,"":[3]}})");
  EXPECT_EQ(ValueOf(record, "a"), Value(std::int64_t{1}));
  EXPECT_EQ(ValueOf(record, ".a"), Value(std::int64_t{2}));
  EXPECT_EQ(ValueOf(record, "..0"), Value(std::int64_t{3}));
  EXPECT_EQ(record.flags, 0U);
}

TEST_F(GenericJson, OfRepeatedNamesTheLastWinsAndTheRecordIsFlagged) {
  for (const std::string payload :
       {R"({"a":1,"a":2})", R"({"a":"x","a":2})", R"({"a.b":1,"a":{"b":2},"z":0})", R"({"v":[1,2],"v.1":2})",
        R"({"a":{"b":1},"a":{"c":2}})", R"({"a":{"b":1},"a":2})", R"({"a":2,"a":{}})"}) {
    const CanonicalRecord record = One(payload);
    EXPECT_TRUE(Has(record.flags, Flag::kLossyDecode)) << payload;
  }
  const CanonicalRecord record = One(R"({"a":"x","b":1,"a":2})");
  EXPECT_EQ(record.attributes.size(), 0U);
  ASSERT_EQ(record.measurements.size(), 2U);
  EXPECT_EQ(record.measurements[1].name, "a");
  EXPECT_EQ(record.measurements[1].value, Value(std::int64_t{2}));
}

TEST_F(GenericJson, RepeatedNamesAreFoundAmongManyToo) {
  std::string payload = "{\"a17\":\"first\"";
  for (int i = 0; i < 100; ++i) {
    payload += ",\"a" + std::to_string(i) + "\":" + std::to_string(i);
  }
  const CanonicalRecord record = One(payload + "}");
  EXPECT_TRUE(Has(record.flags, Flag::kLossyDecode));
  EXPECT_EQ(record.measurements.size(), 100U);
  EXPECT_EQ(ValueOf(record, "a17"), Value(std::int64_t{17}));
}

TEST_F(GenericJson, DigitsThatAreLostFlagTheRecord) {
  EXPECT_TRUE(Has(One(R"({"e":12345678901234567890.123})").flags, Flag::kLossyDecode));
  EXPECT_TRUE(Has(One(R"({"s":"\ud83d"})").flags, Flag::kLossyDecode));
  const CanonicalRecord overflow = One(R"({"e":1e999})");
  EXPECT_TRUE(Has(overflow.flags, Flag::kLossyDecode));
  EXPECT_EQ(ValueOf(overflow, "e"), Value(nullptr));
  EXPECT_FALSE(Has(One(R"({"e":9007199254740993,"f":0.1})").flags, Flag::kLossyDecode));
}

TEST_F(GenericJson, DeviceIdIsTheNamedCaptureOrElseTheLastWildcard) {
  EXPECT_EQ(One("{}").device_id, "");
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"site/{site}/dev/{device}/telemetry", "17"},
      {"site/{device}/dev/+/telemetry", "a"},
      {"site/+/dev/+/telemetry", "17"},
      {"site/a/dev/#", "17/telemetry"},
      {"site/{site}/dev/17/telemetry", "a"},
      {"site/a/dev/17/telemetry", ""},
  };
  for (const auto& [pattern, device] : cases) {
    const auto parsed = TopicPattern::Parse(pattern);
    ASSERT_TRUE(parsed) << pattern;
    context_.device = parsed->Device(message_.topic);
    EXPECT_EQ(One("{}").device_id, device) << pattern;
  }
}

TEST_F(GenericJson, RetainedIsAStateUnlessThePolicySaysOtherwise) {
  message_.retained = true;
  const CanonicalRecord state = One("{\"a\":1}");
  EXPECT_EQ(state.kind, RecordKind::kState);
  EXPECT_TRUE(Has(state.flags, Flag::kRetained));
  context_.retained_is_state = false;
  const CanonicalRecord sample = One("{\"a\":1}");
  EXPECT_EQ(sample.kind, RecordKind::kTelemetry);
  EXPECT_TRUE(Has(sample.flags, Flag::kRetained));
}

TEST_F(GenericJson, RedeliveredMessagesAreFlagged) {
  message_.redelivered = true;
  EXPECT_EQ(One("{\"a\":1}").flags, static_cast<Flags>(Flag::kRedelivered));
}

TEST_F(GenericJson, AnEmptyRetainedMessageIsIgnored) {
  message_.retained = true;
  const Decoded decoded = Decode("");
  EXPECT_EQ(decoded.kind, Decoded::Kind::kIgnored);
  EXPECT_EQ(decoded.reason, "clears_retained");
  EXPECT_TRUE(decoded.records.empty());
}

TEST_F(GenericJson, ByteOrderMarkTrailingNulAndWhiteSpaceAreTolerated) {
  for (const std::string& payload : {std::string("\xEF\xBB\xBF{\"a\":1}"), std::string("{\"a\":1}\0", 8),
                                     std::string("{\"a\":1}\0\0\n\0", 11), std::string(" \r\n\t{\"a\":1} \n")}) {
    EXPECT_EQ(ValueOf(One(payload), "a"), Value(std::int64_t{1}));
  }
}

TEST_F(GenericJson, ATopLevelScalarIsCalledValue) {
  EXPECT_EQ(ValueOf(One("21.5"), "value"), Value(21.5));
  EXPECT_EQ(ValueOf(One("true"), "value"), Value(true));
  EXPECT_EQ(ValueOf(One("null"), "value"), Value(nullptr));
  const CanonicalRecord text = One("\"on\"");
  ASSERT_EQ(text.attributes.size(), 1U);
  EXPECT_EQ(text.attributes[0].name, "value");
}

TEST_F(GenericJson, ATopLevelRowOfValuesIsCounted) {
  const CanonicalRecord record = One("[21.4,48,null,\"x\"]");
  EXPECT_EQ(record.record_id, "k3f9.n.1001");
  EXPECT_EQ(ValueOf(record, "0"), Value(21.4));
  EXPECT_EQ(ValueOf(record, "2"), Value(nullptr));
  EXPECT_EQ(ValueOf(record, "3"), Value(std::string("x")));
  EXPECT_EQ(record.device_time.quality, TimeQuality::kAbsent);
}

TEST_F(GenericJson, TheFirstOfARowIsItsTimeWhenItIsABelievableOne) {
  const CanonicalRecord record = One("[1795162530,21.4]");
  EXPECT_EQ(record.device_time.value, "2026-11-20T08:15:30Z");
  EXPECT_FALSE(HasField(record, "0"));
  EXPECT_EQ(ValueOf(record, "1"), Value(21.4));
  for (const char* payload : {"[1795162530]", "[1889770530,1]", "[12,1]", "[1,1795162530]", "[\"1795162530\",1]",
                              "[[1795162530,1],[1795162590,2]]", R"([{"a":1795162530},5])", "[[],1795162530,5]"}) {
    EXPECT_EQ(One(payload).device_time.quality, TimeQuality::kAbsent) << payload;
  }
}

TEST_F(GenericJson, ATopLevelListOfObjectsGivesOneRecordEach) {
  const Decoded decoded = Decode(R"([{"ts":1795162530,"a":1},{"a":2,"v":[5]}])");
  ASSERT_EQ(decoded.records.size(), 2U);
  EXPECT_EQ(Ids(decoded), (std::vector<std::string>{"k3f9.n.1001.0", "k3f9.n.1001.1"}));
  EXPECT_EQ(decoded.records[0].device_time.value, "2026-11-20T08:15:30Z");
  EXPECT_EQ(decoded.records[1].device_time.quality, TimeQuality::kAbsent);
  EXPECT_EQ(ValueOf(decoded.records[1], "a"), Value(std::int64_t{2}));
  EXPECT_EQ(ValueOf(decoded.records[1], "v.0"), Value(std::int64_t{5}));
  EXPECT_EQ(One(R"([{"a":1}])").record_id, "k3f9.n.1001");
}

TEST_F(GenericJson, AMixedTopLevelListIsOneRecord) {
  const CanonicalRecord record = One(R"([1,{"a":2},[3]])");
  EXPECT_EQ(ValueOf(record, "0"), Value(std::int64_t{1}));
  EXPECT_EQ(ValueOf(record, "1.a"), Value(std::int64_t{2}));
  EXPECT_EQ(ValueOf(record, "2.0"), Value(std::int64_t{3}));
}

TEST_F(GenericJson, LinesOfJsonGiveOneRecordEach) {
  const Decoded decoded = Decode("{\"ts\":1795162530,\"a\":1e999}\n\r\n[{\"a\":2},{\"a\":3}]\n4\n");
  ASSERT_EQ(decoded.records.size(), 4U);
  EXPECT_EQ(decoded.records[3].record_id, "k3f9.n.1001.3");
  EXPECT_EQ(ValueOf(decoded.records[2], "a"), Value(std::int64_t{3}));
  EXPECT_EQ(ValueOf(decoded.records[3], "value"), Value(std::int64_t{4}));
  EXPECT_TRUE(Has(decoded.records[0].flags, Flag::kLossyDecode));
  EXPECT_FALSE(Has(decoded.records[1].flags, Flag::kLossyDecode));
  EXPECT_EQ(Decode("{\"a\":1} {\"a\":2}").reason, "invalid_json");
}

TEST_F(GenericJson, ABufferOfTimedSamplesGivesOneRecordEachWithTheRestShared) {
  const Decoded decoded = Decode(
      R"({"id":"lg","ts":1795162531,"samples":[{"t":1795162290,"v":4},{"t":1795162350,"v":5,"x":{"y":1}}],"n":2})");
  ASSERT_EQ(decoded.records.size(), 2U);
  const CanonicalRecord& second = decoded.records[1];
  EXPECT_EQ(second.record_id, "k3f9.n.1001.1");
  EXPECT_EQ(second.device_time.value, "2026-11-20T08:12:30Z");
  EXPECT_EQ(ValueOf(second, "id"), Value(std::string("lg")));
  EXPECT_EQ(ValueOf(second, "n"), Value(std::int64_t{2}));
  EXPECT_EQ(ValueOf(second, "ts"), Value(std::int64_t{1795162531}));
  EXPECT_EQ(ValueOf(second, "v"), Value(std::int64_t{5}));
  EXPECT_EQ(ValueOf(second, "x.y"), Value(std::int64_t{1}));
  EXPECT_FALSE(HasField(second, "t"));
  EXPECT_EQ(second.flags, 0U);
}

TEST_F(GenericJson, ABufferOfOneSampleKeepsItsShape) {
  const CanonicalRecord record = One(R"({"id":"lg","samples":[{"t":1795162290,"v":4}]})");
  EXPECT_EQ(record.record_id, "k3f9.n.1001");
  EXPECT_EQ(ValueOf(record, "v"), Value(std::int64_t{4}));
}

TEST_F(GenericJson, WhatASampleSaysItselfGoesBeforeWhatItShares) {
  const Decoded decoded = Decode(R"({"v":0,"samples":[{"t":1795162290,"v":4},{"t":1795162350}]})");
  ASSERT_EQ(decoded.records.size(), 2U);
  EXPECT_EQ(ValueOf(decoded.records[0], "v"), Value(std::int64_t{4}));
  EXPECT_TRUE(Has(decoded.records[0].flags, Flag::kLossyDecode));
  EXPECT_EQ(ValueOf(decoded.records[1], "v"), Value(std::int64_t{0}));
  EXPECT_EQ(decoded.records[1].flags, 0U);
}

TEST_F(GenericJson, ListsOfObjectsThatAreNoSamplesAreCounted) {
  for (const char* payload : {
           R"({"s":[{"n":1},{"n":2}]})",
           R"({"s":[{"t":1795162290,"n":1},{"n":2}]})",
           R"({"s":[{"t":1795162290,"n":1},2]})",
           R"({"s":[{"time":"07:00","n":1},{"time":"22:00","n":2}]})",
           R"({"s":[{"t":1795162290,"n":1}],"r":[{"t":1795162290,"n":1}]})",
           R"({"deep":{"s":[{"t":1795162290,"n":1}]}})",
       }) {
    const CanonicalRecord record = One(payload);
    EXPECT_TRUE(HasField(record, "s.0.n") || HasField(record, "deep.s.0.n")) << payload;
    EXPECT_EQ(record.device_time.quality, TimeQuality::kAbsent) << payload;
  }
}

struct RefusedCase {
  std::string payload;
  std::string reason;
  std::string where;
};

TEST_F(GenericJson, WhatIsNoJsonIsQuarantinedWithReasonAndPlace) {
  const std::vector<RefusedCase> cases = {
      {"", "empty", ""},
      {" \n\t", "empty", ""},
      {std::string("\0\0", 2), "empty", ""},
      {"\xEF\xBB\xBF", "empty", ""},
      {"Online", "invalid_json", "byte 0:"},
      {"<m dev=\"F1\"/>", "invalid_json", "byte 0:"},
      {"{\"a\":1", "truncated_json", "byte 6:"},
      {"{\"a\":", "truncated_json", "byte 5:"},
      {"{\"a\"", "truncated_json", "byte 4:"},
      {"{\"a", "truncated_json", "byte 3:"},
      {"{", "truncated_json", "byte 1:"},
      {"[1,", "truncated_json", "byte 3:"},
      {"[1", "truncated_json", "byte 2:"},
      {"{\"a\":1,}", "invalid_json", "byte 7:"},
      {"[1,]", "invalid_json", "byte 3:"},
      {"{a:1}", "invalid_json", "byte 1:"},
      {"{\"a\" 1}", "invalid_json", "byte 5:"},
      {"{\"a\":1}}", "invalid_json", "byte 7:"},
      {"[1 2]", "invalid_json", "byte 3:"},
      {"{\"a\":1}{\"a\":2}", "invalid_json", "byte 7:"},
      {"{\"a\":1}\n{\"a\":", "truncated_json", "byte 13:"},
      {"\xEF\xBB\xBF{a}", "invalid_json", "byte 4:"},
      {"{\"t\":NaN}", "nan_literal", "byte 5:"},
      {"{\"p\":-Infinity}", "nan_literal", "byte 5:"},
      {"{\"p\":-nan}", "nan_literal", "byte 5:"},
      {"{\"p\":inf}", "nan_literal", "byte 5:"},
      {"{\"p\":-inf}", "nan_literal", "byte 5:"},
      {"{\"p\":-}", "invalid_json", "byte 6:"},
      {"\x1F\x8B\x08", "invalid_json", "byte 0: compressed data (gzip)"},
      {"2026-11-20;09:15:30;21,4", "invalid_json", "byte 4:"},
      {"1795162530,21.4", "invalid_json", "byte 10:"},
      {"weather,site=a t=21.4 1795162530250000000", "invalid_json", "byte 0:"},
      {"{\"a\":1}\x1E{\"a\":2}", "invalid_json", "byte 7:"},
      {std::string("{\0\"\0a\0", 6), "invalid_json", "byte 1:"},
      {std::string("\xFF\xFE{\0}\0", 6), "invalid_json", "byte 0:"},
      {"{\"u\":\"\xB0"
       "C\"}",
       "invalid_utf8", "byte 6:"},
      {"{\"\xB0\":1}", "invalid_utf8", "byte 2:"},
      {std::string("{\"a\":\0}", 7), "invalid_json", "byte 5:"},
      {std::string("\x00\x01\xFF\xFE", 4), "invalid_json", "byte 0:"},
  };
  for (const RefusedCase& c : cases) {
    const Decoded decoded = Decode(c.payload);
    EXPECT_EQ(decoded.kind, Decoded::Kind::kQuarantine) << c.payload;
    EXPECT_EQ(decoded.reason, c.reason) << c.payload;
    EXPECT_EQ(decoded.detail.substr(0, c.where.size()), c.where) << c.payload << " " << decoded.detail;
    EXPECT_FALSE(decoded.detail.empty());
    EXPECT_TRUE(decoded.records.empty());
  }
}

TEST_F(GenericJson, DepthIsBoundedAt32) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + "1" + std::string(depth, ']'); };
  EXPECT_EQ(Decode(nested(32)).kind, Decoded::Kind::kRecords);
  const Decoded deep = Decode(nested(33));
  EXPECT_EQ(deep.reason, "too_deep");
  EXPECT_EQ(deep.detail.substr(0, 8), "byte 32:");
  EXPECT_EQ(Decode(std::string(1'000'000, '[')).reason, "too_deep");
  std::string objects;
  for (int i = 0; i < 100'000; ++i) {
    objects += "{\"a\":";
  }
  EXPECT_EQ(Decode(objects).reason, "too_deep");
}

TEST_F(GenericJson, SizeOfThePayloadIsBounded) {
  EXPECT_EQ(Decode("\"" + std::string(4 * 1024 * 1024 - 2, 'x') + "\"").kind, Decoded::Kind::kRecords);
  EXPECT_EQ(Decode("\"" + std::string(4 * 1024 * 1024 - 1, 'x') + "\"").reason, "too_large");
}

TEST_F(GenericJson, NumberOfFieldsIsBounded) {
  const auto row = [](std::size_t count) {
    std::string text = "[1";
    for (std::size_t i = 1; i < count; ++i) {
      text += ",1";
    }
    return text + "]";
  };
  EXPECT_EQ(One(row(65'536)).measurements.size(), 65'536U);
  EXPECT_EQ(Decode(row(65'537)).reason, "too_many_fields");
  // Over all documents of a message, not for each.
  EXPECT_EQ(Decode(row(40'000) + "\n" + row(40'000)).reason, "too_many_fields");
}

TEST_F(GenericJson, NumberOfRecordsIsBounded) {
  const auto list = [](std::size_t count, const std::string& item) {
    std::string text = "[" + item;
    for (std::size_t i = 1; i < count; ++i) {
      text += "," + item;
    }
    return text + "]";
  };
  EXPECT_EQ(Decode(list(1000, "{}")).records.size(), 1000U);
  EXPECT_EQ(Decode(list(1001, "{}")).reason, "too_many_records");
  EXPECT_EQ(Decode(list(500'000, "{}")).reason, "too_many_records");
  EXPECT_EQ(Decode("{\"s\":" + list(1000, "{\"t\":1795162290}") + "}").records.size(), 1000U);
  EXPECT_EQ(Decode("{\"s\":" + list(1001, "{\"t\":1795162290}") + "}").reason, "too_many_records");
  EXPECT_EQ(Decode("{\"s\":" + list(2000, "{\"n\":1}") + "}").records.size(), 1U);
  std::string lines;
  for (int i = 0; i < 1001; ++i) {
    lines += "{}\n";
  }
  EXPECT_EQ(Decode(lines).reason, "too_many_records");
}

TEST_F(GenericJson, LengthOfNamesIsBounded) {
  EXPECT_EQ(Decode("{\"" + std::string(1024, 'n') + "\":1}").kind, Decoded::Kind::kRecords);
  EXPECT_EQ(Decode("{\"" + std::string(1025, 'n') + "\":1}").reason, "name_too_long");
  EXPECT_EQ(Decode("{\"" + std::string(1000, 'n') + "\":{\"" + std::string(30, 'm') + "\":1}}").reason,
            "name_too_long");
}

TEST_F(GenericJson, WhatRecordsShareMayNotMultiplyBeyondBounds) {
  std::string samples;
  for (int i = 0; i < 900; ++i) {
    samples += std::string(i == 0 ? "" : ",") + "{\"t\":1795162290}";
  }
  const Decoded decoded = Decode("{\"blob\":\"" + std::string(100'000, 'x') + "\",\"samples\":[" + samples + "]}");
  EXPECT_EQ(decoded.kind, Decoded::Kind::kQuarantine);
  EXPECT_EQ(decoded.reason, "too_large");
  // A long prefix repeated by many members.
  std::string wide = "{\"" + std::string(1000, 'p') + "\":[1";
  for (int i = 0; i < 30'000; ++i) {
    wide += ",1";
  }
  EXPECT_EQ(Decode(wide + "]}").reason, "too_large");
  // A long topic repeated by many records.
  message_.topic = std::string(60'000, 't');
  EXPECT_EQ(Decode("[" + std::string(R"({"a":1})") + ",{}]").records.size(), 2U);
  std::string list = "[{}";
  for (int i = 0; i < 900; ++i) {
    list += ",{}";
  }
  EXPECT_EQ(Decode(list + "]").reason, "too_large");
}

}  // namespace
}  // namespace packhorse::contract
