#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace packhorse::cli {

// Numbers of a text that are moments of our days (2000 to 2100) in seconds, milliseconds, microseconds or nanoseconds,
// as they are written, with the moment (RFC 3339, UTC). Each one once, at most `most`. Pure function.
std::vector<std::pair<std::string, std::string>> ReadableTimes(std::string_view text, std::size_t most);

}  // namespace packhorse::cli
