#include "common/json_parts.h"

#include <cstddef>

#include "base/encode.h"
#include "base/text.h"
#include "record/canonical_record.h"

namespace packhorse::daemon {
namespace {

// How much of a payload a list shows.
constexpr std::size_t kBeginning = 200;

}  // namespace

std::string Dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json Time(WallTime time) { return time == WallTime{} ? Json() : Json(FormatUtc(time)); }

bool IsText(std::string_view payload) { return IsValidUtf8(payload) && payload.find('\0') == std::string_view::npos; }

void PutBeginning(Json& json, const std::string& payload) {
  const std::string_view start = std::string_view(payload).substr(0, kBeginning);
  const bool text = IsText(payload);
  json["payload_bytes"] = payload.size();
  json["payload_encoding"] = text ? "text" : "hex";
  json["payload_start"] =
      text ? std::string(start.substr(0, Utf8PrefixBytes(start))) : Hex(start.substr(0, kBeginning / 2));
}

}  // namespace packhorse::daemon
