#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/enum_names.h"
#include "base/text.h"
#include "record/canonical_record.h"
#include "record/outcome.h"
#include "record/policies.h"
#include "record/raw_message.h"

namespace packhorse {
namespace {

constexpr EnumNames<Lane, kLanes> kLaneNames{{"urgent", "normal", "bulk"}};
constexpr EnumNames<RecordKind, 5> kKindNames{{"telemetry", "state", "metadata", "connectivity", "gap"}};
constexpr EnumNames<TimeSource, 5> kSourceNames{{"device", "gateway", "network", "relative", "none"}};
constexpr EnumNames<TimeQuality, 9> kQualityNames{
    {"ok", "late", "future", "unsynced", "no_zone", "ambiguous", "implausible", "unparsed", "absent"}};
constexpr EnumNames<Outcome, 8> kOutcomeNames{
    {"delivered", "deduplicated", "expired", "dropped", "quarantined", "rejected", "skipped", "ignored"}};
constexpr EnumNames<RetainedPolicy, 3> kRetainedNames{{"state", "ignore", "telemetry"}};
constexpr EnumNames<Overflow, 3> kOverflowNames{{"drop_oldest", "drop_newest", "block"}};

}  // namespace

std::string_view Name(Lane lane) { return kLaneNames.Of(lane); }
std::optional<Lane> ParseLane(std::string_view name) { return kLaneNames.Find(name); }

char Letter(Lane lane) { return Name(lane).front(); }

std::string_view Name(RecordKind kind) { return kKindNames.Of(kind); }
std::string_view Name(TimeSource source) { return kSourceNames.Of(source); }
std::string_view Name(TimeQuality quality) { return kQualityNames.Of(quality); }
std::string_view Name(Outcome outcome) { return kOutcomeNames.Of(outcome); }

std::string_view Name(RetainedPolicy policy) { return kRetainedNames.Of(policy); }
std::optional<RetainedPolicy> ParseRetainedPolicy(std::string_view name) { return kRetainedNames.Find(name); }

std::string_view Name(Overflow overflow) { return kOverflowNames.Of(overflow); }
std::optional<Overflow> ParseOverflow(std::string_view name) { return kOverflowNames.Find(name); }

std::vector<std::string_view> Names(Flags flags) {
  static constexpr std::array<std::string_view, 12> kNames = {
      "backfilled", "redelivered",  "replayed",      "retained",     "duplicate_suspect", "out_of_order",
      "stale",      "unknown_enum", "unknown_field", "lossy_decode", "clock_suspect",     "out_of_sequence"};
  std::vector<std::string_view> names;
  for (std::size_t bit = 0; bit < kNames.size(); ++bit) {
    if ((flags & (1U << bit)) != 0) {
      names.push_back(kNames[bit]);
    }
  }
  return names;
}

void WriteRecordId(std::string& id, std::string_view queue_id, Lane lane, Sequence sequence,
                   std::optional<std::uint32_t> index) {
  constexpr std::ptrdiff_t kMostDigits = 20;
  std::array<char, 64> rest{};  // two numbers, a letter and three dots
  char* at = rest.data();
  const auto put = [&at](std::uint64_t number) {
    *at++ = '.';
    at = std::to_chars(at, at + kMostDigits, number).ptr;
  };
  *at++ = '.';
  *at++ = Letter(lane);
  put(sequence);
  if (index) {
    put(*index);
  }
  const auto size = static_cast<std::size_t>(at - rest.data());
  id.resize(queue_id.size() + size);
  std::copy(rest.data(), at, std::copy(queue_id.begin(), queue_id.end(), id.data()));
}

std::string RecordId(std::string_view queue_id, Lane lane, Sequence sequence, std::optional<std::uint32_t> index) {
  std::string id;
  WriteRecordId(id, queue_id, lane, sequence, index);
  return id;
}

namespace {

// A number in its shortest form: each record id has one spelling.
template <typename Number>
bool ReadShortest(std::string_view text, Number& number) {
  return ReadNumber(text, number) && (text.size() == 1 || text.front() != '0');
}

std::optional<Lane> LaneOfLetter(std::string_view letter) {
  for (const Lane lane : kAllLanes) {
    if (letter.size() == 1 && letter.front() == Letter(lane)) {
      return lane;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<RecordKey> ParseRecordId(std::string_view text) {
  std::vector<std::string_view> parts;
  for (std::size_t dot = text.find('.'); dot != std::string_view::npos; dot = text.find('.')) {
    parts.push_back(text.substr(0, dot));
    text.remove_prefix(dot + 1);
  }
  parts.push_back(text);
  const std::optional<Lane> lane = parts.size() < 3 ? std::nullopt : LaneOfLetter(parts[1]);
  RecordKey key;
  if (!lane || parts.size() > 4 || parts[0].empty() || !ReadShortest(parts[2], key.sequence)) {
    return std::nullopt;
  }
  key.queue_id = parts[0];
  key.lane = *lane;
  if (parts.size() == 4 && !ReadShortest(parts[3], key.index.emplace())) {
    return std::nullopt;
  }
  return key;
}

}  // namespace packhorse
