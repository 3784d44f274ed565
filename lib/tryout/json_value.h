#pragma once

#include <optional>
#include <string>

#include "document/document.h"

namespace packhorse::tryout {

// JSON values that are compared and written. Pure functions.

// Without white space between the tokens, numbers as they were written.
std::string WriteCompact(const document::Node& node);

// Where `actual` first differs from `expected`, and how: "/points/0/at: expected "x", is "y"". The order of members
// does not count, numbers count by value. None: they are equal.
std::optional<std::string> FirstDifference(const document::Node& expected, const document::Node& actual,
                                           const std::string& pointer = "");

}  // namespace packhorse::tryout
