#pragma once

#include <string>
#include <string_view>

#include "support/http/message.h"
#include "validation.h"

namespace packhorse::cloud {

using http::Reply;

// Problem documents (RFC 9457). Types are URNs of the contract, so that clients can switch on them; texts are for
// people.
inline constexpr std::string_view kProblemPrefix = "urn:packhorse:ingest:problem:";

// `type` is the part after the prefix, "invalid-body". `extensions` is "" or JSON members to add: "\"max_bytes\":100".
std::string ProblemJson(int status, std::string_view type, std::string_view title, std::string_view detail,
                        std::string_view extensions = "");
Reply Problem(int status, std::string_view type, std::string_view title, std::string_view detail,
              std::string_view extensions = "");
// 400 for a body that is not JSON, 422 with all violations otherwise.
Reply RefusedBody(const Refusal& refusal);
// Text as a JSON string, quotes included; invalid UTF-8 is replaced.
std::string Quoted(std::string_view text);

}  // namespace packhorse::cloud
