#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace packhorse::auth {

// What signatures are made of, as bytes. Pure functions.

enum class Hash { kSha1, kSha256, kSha512 };

// FIPS 180-4.
std::string Digest(Hash hash, std::string_view bytes);
// RFC 2104.
std::string Hmac(Hash hash, std::string_view key, std::string_view bytes);
// RFC 4648 section 4, with its padding; none where `text` is not that.
std::optional<std::string> DecodeBase64(std::string_view text);

}  // namespace packhorse::auth
