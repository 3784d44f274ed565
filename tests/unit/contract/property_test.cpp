#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "contract/cloud_contract.h"
#include "contract/json_flatten.h"
#include "decode_fixture.h"

namespace packhorse::contract {
namespace {

using Json = nlohmann::json;
using Property = DecodeFixture;

// Makes JSON values at random: all types, awkward names, numbers at the edges of their types.
class Maker {
 public:
  explicit Maker(std::uint64_t seed) : random_(seed) {}

  Json Object(int depth) {
    Json object = Json::object();
    const std::uint64_t members = random_.UpTo(6);
    for (std::uint64_t i = 0; i < members; ++i) {
      object[Name()] = Any(depth);
    }
    return object;
  }

  std::uint64_t UpTo(std::uint64_t bound) { return random_.UpTo(bound); }

 private:
  std::string Name() {
    static const std::vector<std::string> kNames = {
        "temperature", "a",  "b",     "$id", "_x",  "M\xC3\xBCller",
        "with space",  "\"", "\x01",  "x/y", "a~b", "\xF0\x9F\x98\x80",
        "value",       "v",  "state", "n",   "\\",  "very_long_name_of_a_field"};
    return kNames[random_.UpTo(kNames.size() - 1)];
  }

  Json Any(int depth) {
    const std::uint64_t kind = random_.UpTo(depth > 0 ? 9 : 7);
    switch (kind) {
      case 0:
        return nullptr;
      case 1:
        return random_.UpTo(1) == 1;
      case 2:
        return static_cast<std::int64_t>(Bits());
      case 3:
        return Bits();
      case 4:
        return std::round(random_.Unit() * 1e6) / 100.0;
      case 5:
        return Double();
      case 6:
      case 7:
        return Name();
      case 8:
        return Object(depth - 1);
      default:
        return Array(depth - 1);
    }
  }

  Json Array(int depth) {
    Json array = Json::array();
    const std::uint64_t elements = random_.UpTo(4);
    for (std::uint64_t i = 0; i < elements; ++i) {
      array.push_back(Any(depth));
    }
    return array;
  }

  std::uint64_t Bits() { return random_.UpTo(UINT64_MAX) >> random_.UpTo(63); }

  double Double() {
    const std::uint64_t bits = random_.UpTo(UINT64_MAX);
    double number = 0;
    std::memcpy(&number, &bits, sizeof number);
    return std::isfinite(number) ? number : 0.5;
  }

  Random random_;
};

// What generic-json is to make of an object, told by another parser.
void Flatten(const Json& json, const std::string& name, std::map<std::string, Json>& out) {
  if (json.is_structured()) {
    std::size_t index = 0;
    for (const auto& [key, value] : json.items()) {
      const std::string part = json.is_array() ? std::to_string(index) : key;
      ++index;
      Flatten(value, name.empty() ? part : name + "." + part, out);
    }
  } else {
    out[name] = json;
  }
}

TEST_F(Property, WhatIsDecodedAndRenderedReadsAsWhatWasSent) {
  const std::uint64_t seed = RandomSeed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Maker maker(seed);
  const auto cloud = *FindCloudContract("packhorse-ingest@1");
  for (int round = 0; round < 3000; ++round) {
    const Json sent = maker.Object(4);
    std::map<std::string, Json> wanted;
    Flatten(sent, "", wanted);
    const std::string payload = sent.dump(maker.UpTo(1) == 0 ? -1 : 2, ' ', maker.UpTo(1) == 0);
    const Decoded decoded = Decode(payload);
    ASSERT_EQ(decoded.records.size(), 1U) << payload << decoded.detail;
    ASSERT_EQ(decoded.records[0].flags, 0U) << payload;
    const Json got = Json::parse(cloud->RenderRecord(decoded.records[0]).text.view());
    std::map<std::string, Json> seen;
    if (got.contains("measurements")) {
      for (const auto& [name, measurement] : got.at("measurements").items()) {
        ASSERT_FALSE(measurement.at("value").is_string()) << payload;
        seen[name] = measurement.at("value");
      }
    }
    if (got.contains("attributes")) {
      for (const auto& [name, value] : got.at("attributes").items()) {
        ASSERT_TRUE(value.is_string()) << payload;
        seen[name] = value;
      }
    }
    ASSERT_EQ(seen, wanted) << payload;
    for (const auto& [name, value] : wanted) {
      ASSERT_EQ(seen[name].is_number_float(), value.is_number_float()) << payload << " at " << name;
    }
  }
}

// Changes, removes, repeats or inserts bytes.
std::string Mutated(std::string text, Maker& maker) {
  static constexpr char kBytes[] = "{}[]\",:\\u0123456789eE+-.\0\x80\xC3\xED\xF4\xFF\n ntf";
  static const std::string kSpecial(kBytes, sizeof kBytes - 1);
  const std::uint64_t changes = 1 + maker.UpTo(3);
  for (std::uint64_t i = 0; i < changes && !text.empty(); ++i) {
    const std::size_t at = maker.UpTo(text.size() - 1);
    switch (maker.UpTo(3)) {
      case 0:
        text[at] = kSpecial[maker.UpTo(kSpecial.size() - 1)];
        break;
      case 1:
        text.erase(at, 1 + maker.UpTo(4));
        break;
      case 2:
        text.insert(at, 1, kSpecial[maker.UpTo(kSpecial.size() - 1)]);
        break;
      default:
        text.insert(at, text.substr(maker.UpTo(text.size() - 1), maker.UpTo(20)));
    }
  }
  return text;
}

TEST_F(Property, DamagedJsonIsAcceptedExactlyWhereAnotherParserAcceptsIt) {
  const std::uint64_t seed = RandomSeed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Maker maker(seed);
  JsonLimits limits{1U << 20U, 64, 10'000, 1000, 10'000, 1U << 20U};
  const TimeRecogniser times({});
  for (int round = 0; round < 30'000; ++round) {
    const std::string text = Mutated(maker.Object(3).dump(), maker);
    format::JsonReader reader(text);
    Document document;
    const bool read = ReadDocument(reader, limits, times, document) && (reader.Peek(), reader.AtEnd());
    const bool lossy = document.lossy;
    // The other parser takes a NUL byte for the end of the text.
    const bool other = text.find('\0') == std::string::npos && Json::accept(text);
    // It refuses half surrogate pairs and numbers beyond a double; both are flagged here.
    if (read != other) {
      ASSERT_TRUE(read && lossy) << text << " " << (reader.fault().what == nullptr ? "" : reader.fault().what);
    }
  }
}

TEST_F(Property, RecordMadeInTheMemoryOfAnotherIsTheSame) {
  const std::uint64_t seed = RandomSeed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Maker maker(seed);
  const std::vector<std::string> seeds = {
      R"({"ts":1795162530,"temperature":21.4,"gps":{"lat":null},"v":[1,2],"name":"a name of more than sixteen bytes"})",
      R"({"samples":[{"t":1795162290,"v":4.1},{"t":1795162350,"v":4.13}]})",
      R"({"a":1})",
      R"({"a":"text","temperature":true,"name":7})",
      "{\"a\":1}\n{\"b\":\"x\",\"time\":\"2016-12-31T23:59:60Z\"}",
      "[1795162530,2]",
      "",
  };
  std::vector<CanonicalRecord> spare;
  for (int round = 0; round < 20'000; ++round) {
    const std::string& text = seeds[maker.UpTo(seeds.size() - 1)];
    const std::string payload = maker.UpTo(2) == 0 ? Mutated(text, maker) : text;
    message_.retained = maker.UpTo(3) == 0;
    message_.redelivered = maker.UpTo(3) == 0;
    message_.received_at_raw = maker.UpTo(3) == 0 ? std::optional(kArrived) : std::nullopt;
    message_.clock = message_.received_at_raw ? ClockState::kRecovered : ClockState::kSynchronized;
    context_.spare = nullptr;
    const Decoded fresh = Decode(payload);
    context_.spare = &spare;
    Decoded again = Decode(payload);
    ASSERT_EQ(again.kind, fresh.kind) << payload;
    ASSERT_EQ(again.reason + again.detail, fresh.reason + fresh.detail) << payload;
    ASSERT_EQ(again.records.size(), fresh.records.size()) << payload;
    for (std::size_t i = 0; i < fresh.records.size(); ++i) {
      ASSERT_EQ(ToJson(again.records[i]), ToJson(fresh.records[i])) << payload;
    }
    spare = std::move(again.records);
  }
}

TEST_F(Property, AnyBytesAreDecodedOrQuarantinedAndWhatIsRenderedIsJson) {
  const std::uint64_t seed = RandomSeed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Maker maker(seed);
  const std::vector<std::string> seeds = {
      R"({"ts":1795162530,"temperature":21.4,"gps":{"lat":null},"v":[1,2]})",
      R"({"id":"lg","samples":[{"t":1795162290,"v":4.1},{"t":1795162350,"v":4.13}]})",
      R"([{"time":"2026-11-20T08:15:30Z","a":"\ud83d\ude00"},{"time":"x"}])",
      "{\"ts\":1795162530,\"a\":1}\n{\"ts\":1795162531,\"a\":2}",
      R"([1795162530,21.4,48,null])",
      R"({"time":"2016-12-31T23:59:60Z","e":12345678901234567890.123})",
  };
  for (int round = 0; round < 30'000; ++round) {
    const Decoded decoded = Decode(Mutated(seeds[maker.UpTo(seeds.size() - 1)], maker));
    if (decoded.kind == Decoded::Kind::kQuarantine) {
      ASSERT_FALSE(decoded.reason.empty());
      ASSERT_FALSE(decoded.detail.empty());
      continue;
    }
    ASSERT_FALSE(decoded.records.empty());
    for (const CanonicalRecord& record : decoded.records) {
      ASSERT_TRUE(Json::accept(ToJson(record))) << message_.payload;
    }
  }
}

TEST_F(Property, EveryShortTextHasAnAnswer) {
  static const std::string kBytes = "{}[]\":,1e-.\\n t\x80";
  for (std::size_t length = 1; length <= 4; ++length) {
    std::size_t total = 1;
    for (std::size_t i = 0; i < length; ++i) {
      total *= kBytes.size();
    }
    for (std::size_t n = 0; n < total; ++n) {
      std::string text;
      for (std::size_t rest = n, i = 0; i < length; ++i, rest /= kBytes.size()) {
        text += kBytes[rest % kBytes.size()];
      }
      const Decoded decoded = Decode(text);
      // Beside plain JSON, several documents on lines of their own are taken; no byte here is a line break.
      ASSERT_EQ(decoded.kind == Decoded::Kind::kRecords, Json::accept(text)) << text;
    }
  }
}

}  // namespace
}  // namespace packhorse::contract
