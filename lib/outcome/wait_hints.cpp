#include "outcome/wait_hints.h"

#include <algorithm>
#include <string>

#include "outcome/rate_headers.h"
#include "outcome/reply_text.h"

namespace packhorse::outcome {

using std::chrono::milliseconds;

// libcurl would read the header for us (CURLINFO_RETRY_AFTER), but counts from our clock.
std::optional<milliseconds> ParseRetryAfter(const std::string& value, const std::string& date_header, WallTime wall) {
  if (const auto number = ReadHeaderNumber(value)) {
    return BoundedSeconds(*number);
  }
  const auto date = ParseHttpDate(value);
  return date ? std::optional(UntilTheirs(*date, date_header, wall)) : std::nullopt;
}

WaitHints ReadWaitHints(const Reply& reply, WallTime wall) {
  WaitHints hints;
  hints.retry_after =
      ParseRetryAfter(std::string(Header(reply, "retry-after")), std::string(Header(reply, "date")), wall);
  std::optional<milliseconds> shortest;
  for (const RateHeader& header : ReadRateHeaders(reply, wall)) {
    const limit::Announcement& said = header.said;
    if (said.left == 0U) {
      hints.exhausted = true;
      hints.reset = std::max(hints.reset, said.resets);  // an absent one is less than any other
    } else if (said.resets && (!shortest || *said.resets < *shortest)) {
      shortest = said.resets;
    }
  }
  if (!hints.exhausted) {
    hints.reset = shortest;
  }
  return hints;
}

}  // namespace packhorse::outcome
