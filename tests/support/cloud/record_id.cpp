#include "record_id.h"

#include <algorithm>
#include <charconv>

namespace packhorse::cloud {
namespace {

std::string_view TakeUntilDot(std::string_view& text) {
  const std::size_t dot = text.find('.');
  const std::string_view part = text.substr(0, dot);
  text.remove_prefix(dot == std::string_view::npos ? text.size() : dot + 1);
  return part;
}

bool ParseNumber(std::string_view text, std::uint64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

bool IsQueueIdCharacter(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
}

}  // namespace

RecordIdParts SplitRecordId(std::string_view record_id) {
  RecordIdParts parts;
  std::string_view rest = record_id;
  parts.queue_id = TakeUntilDot(rest);
  parts.lane = TakeUntilDot(rest);
  const std::string_view sequence = TakeUntilDot(rest);
  const bool queue_id_ok =
      !parts.queue_id.empty() && std::all_of(parts.queue_id.begin(), parts.queue_id.end(), IsQueueIdCharacter);
  const bool lane_ok = parts.lane == "u" || parts.lane == "n" || parts.lane == "b";
  const bool part_ok = record_id.ends_with('.') ? false : rest.empty() || ParseNumber(rest, parts.part);
  parts.valid = queue_id_ok && lane_ok && ParseNumber(sequence, parts.sequence) && part_ok;
  return parts;
}

}  // namespace packhorse::cloud
