#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace packhorse {

// Where a path or a header takes a secret, a prepared request has a mark, so that no stored byte is a secret. The value
// is put in for each attempt, escaped for its place. Pure functions.
//
// A mark is U+0001, a letter for the place, the secret's name and U+0002. No other text of a path or a header may hold
// these two characters.

enum class MarkPlace : char { kPath = 'p', kQuery = 'q', kHeader = 'h' };
std::string SecretMark(MarkPlace place, std::string_view name);
bool HasSecretMark(std::string_view text);

// `text` with each mark replaced by what `value` returns for its name, percent-encoded in paths and queries (RFC 3986
// section 2.1). kNotFound: `value` returned null. kInvalidArgument: a header cannot carry the value (RFC 9110 section
// 5.5). Messages name the secret, never its value.
Result<std::string> FillSecrets(std::string_view text,
                                const std::function<const std::string*(std::string_view name)>& value);
// `text` with "***" for each mark, to be shown.
std::string MaskSecretMarks(std::string_view text);

}  // namespace packhorse
