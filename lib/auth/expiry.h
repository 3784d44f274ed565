#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace packhorse::auth {

// When what is used to authenticate ends. Nothing is verified here: it is for warnings.

// Of a token that says it: the claim exp of a JWT (RFC 7519 section 4.1.4), or se of a shared access signature of
// Azure; also behind a word such as "Bearer". None: it does not say, or is something else.
std::optional<WallTime> TokenEnds(std::string_view token);

// Of several certificates in a file.
enum class WhichEnd : std::uint8_t {
  kFirst,  // a chain: all are needed
  kLast,   // authorities: one is enough
};
// Of the certificates of a PEM file of at most 1 MiB (RFC 5280 section 4.1.2.5). kInvalidArgument: there is none in it.
// Reads the file.
Result<WallTime> CertificatesEnd(const std::string& path, WhichEnd which);

}  // namespace packhorse::auth
