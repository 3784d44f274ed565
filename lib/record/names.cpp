#include <array>
#include <charconv>
#include <vector>

#include "record/canonical_record.h"
#include "record/outcome.h"
#include "record/raw_message.h"

namespace packhorse {
namespace {

template <typename Enum, std::size_t N>
std::string_view At(const std::array<std::string_view, N>& names, Enum value) {
  const auto index = static_cast<std::size_t>(value);
  return index < N ? names[index] : std::string_view("unknown");
}

}  // namespace

std::string_view Name(Lane lane) { return At(std::array<std::string_view, 3>{"urgent", "normal", "bulk"}, lane); }

char Letter(Lane lane) { return Name(lane).front(); }

std::string_view Name(RecordKind kind) {
  return At(std::array<std::string_view, 5>{"telemetry", "state", "metadata", "connectivity", "gap"}, kind);
}

std::string_view Name(TimeSource source) {
  return At(std::array<std::string_view, 5>{"device", "gateway", "network", "relative", "none"}, source);
}

std::string_view Name(TimeQuality quality) {
  return At(std::array<std::string_view, 9>{"ok", "late", "future", "unsynced", "no_zone", "ambiguous", "implausible",
                                            "unparsed", "absent"},
            quality);
}

std::string_view Name(Outcome outcome) {
  return At(
      std::array<std::string_view, 6>{"delivered", "deduplicated", "expired", "dropped", "quarantined", "rejected"},
      outcome);
}

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

std::string RecordId(std::string_view queue_id, Lane lane, Sequence sequence, std::optional<std::uint32_t> index) {
  std::string id(queue_id);
  id += '.';
  id += Letter(lane);
  id += '.';
  id += std::to_string(sequence);
  if (index) {
    id += '.';
    id += std::to_string(*index);
  }
  return id;
}

namespace {

// A number that takes the whole text, in its shortest form.
template <typename T>
bool ReadNumber(std::string_view text, T& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && (text.size() == 1 || text.front() != '0');
}

std::optional<Lane> LaneOfLetter(std::string_view letter) {
  for (const Lane lane : {Lane::kUrgent, Lane::kNormal, Lane::kBulk}) {
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
  if (!lane || parts.size() > 4 || parts[0].empty() || !ReadNumber(parts[2], key.sequence)) {
    return std::nullopt;
  }
  key.queue_id = parts[0];
  key.lane = *lane;
  if (parts.size() == 4 && !ReadNumber(parts[3], key.index.emplace())) {
    return std::nullopt;
  }
  return key;
}

}  // namespace packhorse
