// Payloads as devices of the field send them, each with the record or the verdict that the newest generic-json@1 gives
// (tests/contract/payloads/*.json).
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "base/topic.h"
#include "contract/cloud_contract.h"
#include "contract/device_contract.h"
#include "repository_file.h"
#include "wall_time.h"

namespace packhorse::contract {
namespace {

using Json = nlohmann::json;

std::string FromBase64(const std::string& text) {
  static const std::string kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  unsigned bits = 0;
  int count = 0;
  for (const char c : text.substr(0, text.find('='))) {
    bits = (bits << 6U) | static_cast<unsigned>(kDigits.find(c));
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes += static_cast<char>((bits >> static_cast<unsigned>(count)) & 0xFFU);
    }
  }
  return bytes;
}

// Payloads too large to be written down.
std::string Generated(const std::string& kind) {
  if (kind == "huge_text") {  // 8 MiB as base64
    return R"({"ts":1795162530,"img":")" + std::string((8U << 20U) / 3 * 4 + 4, 'Q') + "\"}";
  }
  std::string text = "{\"ts\":1795162530";
  for (int i = 0; i < 20'000; ++i) {
    std::string number = std::to_string(i);
    text += ",\"tag_" + std::string(5 - number.size(), '0') + number + "\":" + number + ".5";
  }
  return text + "}";
}

std::string PayloadOf(const Json& sample) {
  if (sample.contains("generate")) {
    return Generated(sample.at("generate"));
  }
  return sample.contains("payload_base64") ? FromBase64(sample.at("payload_base64"))
                                           : sample.at("payload").get<std::string>();
}

Decoded DecodeSample(const Json& sample) {
  RawMessage message;
  message.topic = sample.at("topic");
  message.payload = PayloadOf(sample);
  message.received_at = test::ToWallTime(sample.at("received_at"));
  message.clock = ClockState::kSynchronized;
  message.retained = sample.value("retained", false);
  message.redelivered = sample.value("redelivered", false);
  DecodeContext context;
  context.queue_id = "k3f9";
  context.sequence = 7;
  context.stream = "s";
  const auto pattern = TopicPattern::Parse(sample.value("pattern", std::string("#")));
  EXPECT_TRUE(pattern);
  context.device = sample.contains("pattern") ? pattern->Device(message.topic) : std::string_view();
  return (*FindDeviceContract("generic-json@1"))->Decode(message, context);
}

// Measurements as name -> value, as the sample files write them.
Json Readings(const Json& record) {
  Json readings = Json::object();
  if (record.contains("measurements")) {
    for (const auto& [name, measurement] : record.at("measurements").items()) {
      readings[name] = measurement.at("value");
    }
  }
  return readings;
}

void CheckRecords(const Json& expect, const Decoded& decoded) {
  ASSERT_FALSE(decoded.records.empty());
  EXPECT_EQ(decoded.records.size(), expect.value("records", std::size_t{1}));
  const Json record = Json::parse(ToJson(decoded.records.front()));
  EXPECT_EQ(record.at("kind"), expect.value("kind", "telemetry"));
  EXPECT_EQ(record.value("device_id", ""), expect.at("device_id"));
  if (expect.contains("device_time")) {
    EXPECT_EQ(record.at("device_time").at("source"), expect.at("device_time").at("source"));
    EXPECT_EQ(record.at("device_time").at("quality"), expect.at("device_time").at("quality"));
    if (expect.at("device_time").contains("value")) {
      EXPECT_EQ(record.at("device_time").at("value"), expect.at("device_time").at("value"));
    }
  }
  if (expect.contains("measurements")) {
    EXPECT_EQ(Readings(record), expect.at("measurements"));
    EXPECT_EQ(record.value("attributes", Json::object()), expect.at("attributes"));
    EXPECT_EQ(record.value("flags", Json::array()), expect.at("flags"));
  }
}

TEST(Payloads, OfTheFieldAreDecodedAsTheirSamplesSay) {
  const auto files = test::RepositoryFiles("tests/contract/payloads", ".json");
  std::size_t samples = 0;
  for (const std::string& file : files) {
    const Json list = Json::parse(test::RepositoryFile(file));
    for (const Json& sample : list) {
      SCOPED_TRACE(sample.at("name").get<std::string>());
      const Json& expect = sample.at("expect");
      const Decoded decoded = DecodeSample(sample);
      ++samples;
      if (expect.at("outcome") == "records") {
        ASSERT_EQ(decoded.kind, Decoded::Kind::kRecords) << decoded.reason << ": " << decoded.detail;
        CheckRecords(expect, decoded);
      } else {
        const bool ignored = expect.at("outcome") == "ignored";
        EXPECT_EQ(decoded.kind, ignored ? Decoded::Kind::kIgnored : Decoded::Kind::kQuarantine);
        EXPECT_EQ(decoded.reason, expect.at("reason"));
        EXPECT_TRUE(decoded.records.empty());
      }
    }
  }
  EXPECT_GE(samples, 37U);
}

TEST(Payloads, AWideObjectIsOneRecordWithAllItsFields) {
  const Decoded decoded =
      DecodeSample({{"topic", "t"}, {"generate", "many_keys"}, {"received_at", "2026-11-20T08:15:31.500000Z"}});
  ASSERT_EQ(decoded.records.size(), 1U);
  EXPECT_EQ(decoded.records[0].measurements.size(), 20'000U);
  EXPECT_EQ(decoded.records[0].measurements[19'999].name, "tag_19999");
}

TEST(Payloads, EachSampleOfABufferHasItsOwnTime) {
  const Json list = Json::parse(test::RepositoryFile("tests/contract/payloads/json-batch.json"));
  const Decoded decoded = DecodeSample(list.at(0));
  ASSERT_EQ(decoded.records.size(), 5U);
  const std::vector<std::string> times = {"2026-11-20T08:11:30Z", "2026-11-20T08:12:30Z", "2026-11-20T08:13:30Z",
                                          "2026-11-20T08:14:30Z", "2026-11-20T08:15:30Z"};
  for (std::size_t i = 0; i < times.size(); ++i) {
    EXPECT_EQ(decoded.records[i].device_time.value, times[i]);
    EXPECT_EQ(decoded.records[i].record_id, "k3f9.n.7." + std::to_string(i));
    EXPECT_EQ(decoded.records[i].server_received_at, decoded.records[0].server_received_at);
  }
}

}  // namespace
}  // namespace packhorse::contract
