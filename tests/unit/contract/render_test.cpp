#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "contract/cloud_contract.h"
#include "format/json/writer.h"

namespace packhorse::contract {
namespace {

using Json = nlohmann::json;

CanonicalRecord Example() {
  CanonicalRecord record;
  record.record_id = "k3f9.n.1001";
  record.sequence = 1001;
  record.stream = "telemetry";
  record.device_id = "17";
  record.server_received_at = WallTime(std::chrono::microseconds(1'795'165'921'123'456));
  record.gateway_clock = ClockState::kSynchronized;
  record.device_time = {"2026-11-20T09:12:00.900Z", "1795165920900", TimeSource::kDevice, TimeQuality::kOk, -223};
  record.contract = "generic-json@1.0";
  record.topic = "site/a/dev/17/telemetry";
  record.measurements = {{"temperature", 21.5, "Cel"}, {"seq", std::int64_t{1001}, ""}};
  record.attributes = {{"firmware", std::string("1.4.2")}};
  record.flags = static_cast<Flags>(Flag::kBackfilled);
  return record;
}

BatchHeader ExampleHeader() {
  BatchHeader header;
  header.batch_id = "b-1";
  header.gateway_id = "gw-0042";
  header.gateway_attributes = {{"site", "plant-7"}};
  return header;
}

TEST(RenderRecord, FollowsThePublicSurfaceMemberByMember) {
  EXPECT_EQ(ToJson(Example()),
            R"({"record_id":"k3f9.n.1001","sequence":1001,"kind":"telemetry","stream":"telemetry","device_id":"17",)"
            R"("server_received_at":"2026-11-20T09:12:01.123456Z","gateway_clock":"synchronized",)"
            R"("device_time":{"value":"2026-11-20T09:12:00.900Z","raw":"1795165920900","source":"device",)"
            R"("quality":"ok","skew_ms":-223},"contract":"generic-json@1.0","topic":"site/a/dev/17/telemetry",)"
            R"("measurements":{"temperature":{"value":21.5,"unit":"Cel"},"seq":{"value":1001}},)"
            R"("attributes":{"firmware":"1.4.2"},"flags":["backfilled"]})");
}

TEST(RenderRecord, EmptyMembersAreLeftOut) {
  CanonicalRecord record;
  record.record_id = "k3f9.b.1";
  record.sequence = 1;
  record.stream = "s";
  EXPECT_EQ(ToJson(record), R"({"record_id":"k3f9.b.1","sequence":1,"kind":"telemetry","stream":"s",)"
                            R"("server_received_at":"1970-01-01T00:00:00.000000Z","gateway_clock":"unsynchronized",)"
                            R"("device_time":{"source":"none","quality":"absent"}})");
}

TEST(RenderRecord, TheOriginalStampIsShownOnlyWhenTheClockWasRecovered) {
  CanonicalRecord record = Example();
  record.server_received_at_raw = WallTime(std::chrono::microseconds(42));
  EXPECT_FALSE(Json::parse(ToJson(record)).contains("server_received_at_raw"));
  record.gateway_clock = ClockState::kRecovered;
  EXPECT_EQ(Json::parse(ToJson(record)).at("server_received_at_raw"), "1970-01-01T00:00:00.000042Z");
}

TEST(RenderRecord, EveryKindAndFlagHasItsName) {
  CanonicalRecord record = Example();
  record.kind = RecordKind::kGap;
  record.flags = (1U << 12U) - 1;
  const Json json = Json::parse(ToJson(record));
  EXPECT_EQ(json.at("kind"), "gap");
  EXPECT_EQ(json.at("flags"),
            Json({"backfilled", "redelivered", "replayed", "retained", "duplicate_suspect", "out_of_order", "stale",
                  "unknown_enum", "unknown_field", "lossy_decode", "clock_suspect", "out_of_sequence"}));
}

TEST(RenderRecord, BytesThatAreNoUtf8NeverReachTheWire) {
  CanonicalRecord record = Example();
  record.topic = "a/\xFF\xC3/b";
  EXPECT_EQ(Json::parse(ToJson(record)).at("topic"), "a/\xEF\xBF\xBD\xEF\xBF\xBD/b");
}

TEST(RenderBatch, JoinsRecordsInTheirOrderWithinTheEnvelope) {
  const auto contract = *FindCloudContract("packhorse-ingest@1");
  std::vector<RenderedRecord> records = {contract->RenderRecord(Example())};
  records.emplace_back().text = ItemText("{\"x\":1}");
  const Rendered rendered = contract->RenderBatch(ExampleHeader(), records);
  EXPECT_EQ(rendered.path, "/v1/telemetry");
  EXPECT_EQ(rendered.content_type, "application/json");
  EXPECT_EQ(rendered.body,
            R"({"contract":"packhorse-ingest@1.3","gateway":{"id":"gw-0042","attributes":{"site":"plant-7"}},)"
            R"("batch":{"id":"b-1","lane":"normal","records":2},"records":[)" +
                std::string(records[0].text.view()) + R"(,{"x":1}]})");
  EXPECT_EQ(records[0].text.view(), ToJson(Example()));
  const auto items = contract->Items(
      std::string_view(rendered.body).substr(rendered.items_begin, rendered.items_end - rendered.items_begin));
  ASSERT_TRUE(items);
  EXPECT_EQ(*items, (std::vector<std::string>{std::string(records[0].text.view()), "{\"x\":1}"}));
  EXPECT_EQ(contract->RequestHeaders(ExampleHeader()), (Headers{{"Idempotency-Key", "\"b-1\""}}));
  EXPECT_EQ(contract->RenderBatch(ExampleHeader(), records).body, rendered.body);
}

TEST(RenderBatch, AGatewayWithoutAttributesHasNone) {
  const auto contract = *FindCloudContract("packhorse-ingest@1");
  BatchHeader header = ExampleHeader();
  header.gateway_attributes.clear();
  header.lane = Lane::kUrgent;
  EXPECT_EQ(contract->RenderBatch(header, {}).body,
            R"({"contract":"packhorse-ingest@1.3","gateway":{"id":"gw-0042"},)"
            R"("batch":{"id":"b-1","lane":"urgent","records":0},"records":[]})");
}

TEST(RenderBatch, EnvelopeBytesIsAnUpperBound) {
  const auto contract = *FindCloudContract("packhorse-ingest@1");
  for (const std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{9}, std::size_t{10}, std::size_t{1000}}) {
    RenderedRecord record;
    record.text = ItemText("{}");
    const std::vector<RenderedRecord> records(count, record);
    EXPECT_LE(contract->RenderBatch(ExampleHeader(), records).body.size(),
              contract->EnvelopeBytes(ExampleHeader()) + 2 * count);
  }
}

TEST(JsonWriter, DoublesAreShortestExactAndStayDoubles) {
  const std::vector<std::pair<double, std::string>> cases = {
      {0.1, "0.1"},
      {21.5, "21.5"},
      {48.0, "48.0"},
      {-0.0, "-0.0"},
      {1e22, "1e+22"},
      {5e-324, "5e-324"},
      {1e-7, "1e-07"},
      {0.30000000000000004, "0.30000000000000004"},
      {123456789012345680.0, "123456789012345680.0"},
      {std::nan(""), "null"},
      {std::numeric_limits<double>::infinity(), "null"},
  };
  for (const auto& [number, text] : cases) {
    std::string out;
    format::AppendDouble(out, number);
    EXPECT_EQ(out, text);
  }
}

TEST(JsonWriter, ControlCharactersQuotesAndBackslashesAreEscaped) {
  std::string all;
  for (int c = 0; c < 0x80; ++c) {
    all += static_cast<char>(c);
  }
  std::string out;
  format::AppendString(out, all);
  EXPECT_EQ(Json::parse(out).get<std::string>(), all);
  out.clear();
  format::AppendString(out, "a\"\\\b\f\n\r\t\x01\x7F/M\xC3\xBC");
  EXPECT_EQ(out, "\"a\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u007f/M\xC3\xBC\"");
}

TEST(JsonWriter, WallTimeIsWrittenAsFormatUtcDoes) {
  for (const std::int64_t micros : {std::int64_t{0}, std::int64_t{1}, std::int64_t{-1},
                                    std::int64_t{1'795'165'921'123'456}, std::int64_t{253'402'300'799'999'999},
                                    std::int64_t{-62'135'596'800'000'000}, std::int64_t{951'782'400'000'000}}) {
    const WallTime time{std::chrono::microseconds(micros)};
    std::string out;
    format::AppendWallTime(out, time);
    EXPECT_EQ(out, "\"" + FormatUtc(time) + "\"");
  }
}

}  // namespace
}  // namespace packhorse::contract
