#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace packhorse::daemon {

// What the JSON of queues is made of. Only for the sources that make it.

using Json = nlohmann::ordered_json;

// Topics and provider texts come from outside; what is not UTF-8 in them must not make an answer impossible.
std::string Dump(const Json& json);
// RFC 3339 UTC; null where there is none.
Json Time(WallTime time);
// Whether a payload can be shown as it is.
bool IsText(std::string_view payload);
// The beginning of a payload: text without half a character at its end, else half as many bytes as hexadecimal digits.
void PutBeginning(Json& json, const std::string& payload);

}  // namespace packhorse::daemon
