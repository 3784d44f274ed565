#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "document/schema.h"

namespace packhorse::document {

// What a schema says about a value, for comparing and in words.

inline constexpr std::string_view kDurationForm = "a whole number with ms, s, m, h or d, such as \"250ms\" or \"10s\"";
inline constexpr std::string_view kSizeForm =
    "a whole number of bytes, or with KiB, MiB or GiB, such as 4096 or \"1MiB\"";
inline constexpr std::string_view kSecretForm =
    "{\"file\": \"/path\"}, {\"env\": \"NAME\"} or {\"credential\": \"NAME\"}";

// "a whole number", "a duration in quotes: ...".
std::string TypeText(const Schema& schema);
// Range or choices, for messages and the reference page; empty when there are none.
std::string AllowedText(const Schema& schema);
// A bound of the schema in the unit of Node::integer, whichever way it is written.
std::optional<std::int64_t> Bound(const Schema& schema, std::string_view keyword);
// Whether the regular expression of a schema (ECMAScript) is found in `text`. Any thread. REQUIRES: a pattern of a
// schema in the program, not one from outside, since each is kept.
bool MatchesPattern(std::string_view text, const std::string& pattern);

}  // namespace packhorse::document
