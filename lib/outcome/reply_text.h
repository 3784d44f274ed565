#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "outcome/outcome_rules.h"

namespace packhorse::outcome {

// Text from outside, made fit for a status line, a log and a dead letter. Pure functions.

// One printable line of at most `max_bytes`: control characters, line separators and text direction marks are escaped,
// invalid UTF-8 is replaced, white space at both ends goes, our secrets are masked (base/mask.h), and so is what
// follows "Bearer" or "Basic" if it looks like a credential (a provider may echo a header that another gateway sent).
std::string OneLine(std::string_view text, std::size_t max_bytes);

// "HTTP 404 Not Found"; without words where the code has none.
std::string StatusLine(int status);

// First header of this lower-case name; empty when there is none.
std::string_view Header(const Reply& reply, std::string_view name);
// All headers of this name, in order.
std::vector<std::string_view> Headers(const Reply& reply, std::string_view name);

// The media type alone, in lower case, without parameters.
std::string MediaType(const Reply& reply);
// application/json, text/json, anything +json (RFC 6839 section 3.1), or the form of AWS, application/x-amz-json-1.1.
bool IsJsonType(std::string_view media_type);
bool IsHtml(const Reply& reply);
// "an HTML page: Bad Gateway", from the title or the first heading.
std::string DescribeHtml(const Reply& reply);

}  // namespace packhorse::outcome
