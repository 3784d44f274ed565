#pragma once

#include <string>
#include <string_view>

namespace packhorse {

// Bytes as text. Pure functions.

// Two lower case digits a byte, with `between` between each two bytes.
std::string Hex(std::string_view bytes, std::string_view between = "");
// RFC 4648 section 4.
std::string Base64(std::string_view bytes);

}  // namespace packhorse
