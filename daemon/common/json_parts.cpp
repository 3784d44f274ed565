#include "common/json_parts.h"

#include <cstddef>
#include <cstdint>

#include "base/units.h"
#include "record/canonical_record.h"

namespace packhorse::daemon {
namespace {

// How much of a payload a list shows.
constexpr std::size_t kBeginning = 200;

}  // namespace

std::string Dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json Time(WallTime time) { return time == WallTime{} ? Json() : Json(FormatUtc(time)); }

std::string Hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 15U];
  }
  return text;
}

std::string Base64(std::string_view bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::string_view group = bytes.substr(at, 3);
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      bits = (bits << 8U) | (i < group.size() ? static_cast<unsigned char>(group[i]) : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      text += i <= group.size() ? kDigits[(bits >> (18U - 6U * i)) & 63U] : '=';
    }
  }
  return text;
}

bool IsText(std::string_view payload) { return IsValidUtf8(payload) && payload.find('\0') == std::string_view::npos; }

void PutBeginning(Json& json, const std::string& payload) {
  std::string_view start = std::string_view(payload).substr(0, kBeginning);
  const bool text = IsText(payload);
  while (text && !IsValidUtf8(start)) {
    start.remove_suffix(1);
  }
  json["payload_bytes"] = payload.size();
  json["payload_encoding"] = text ? "text" : "hex";
  json["payload_start"] = text ? std::string(start) : Hex(start.substr(0, kBeginning / 2));
}

}  // namespace packhorse::daemon
