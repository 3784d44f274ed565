#pragma once

#include <string>
#include <string_view>

namespace packhorse {

// Bytes as text. Pure functions.

// Two lower case digits a byte, with `between` between each two bytes.
std::string Hex(std::string_view bytes, std::string_view between = "");
// RFC 4648 section 4.
std::string Base64(std::string_view bytes);
// RFC 4648 section 5, without padding.
std::string Base64Url(std::string_view bytes);
// RFC 3986 section 2.1: every byte that is not unreserved (section 2.3), digits in upper case.
std::string PercentEncode(std::string_view bytes);

}  // namespace packhorse
