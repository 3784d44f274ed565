#include "outcome/wait_hints.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/text.h"
#include "outcome/reply_text.h"

namespace packhorse::outcome {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// More than anybody waits; keeps every sum far from overflow.
constexpr std::int64_t kMostSeconds = 10LL * 366 * 86'400;
// X-RateLimit-Reset above this is an epoch time (2001), above the second one in milliseconds.
constexpr std::int64_t kSmallestEpochSeconds = 1'000'000'000;
constexpr std::int64_t kSmallestEpochMilliseconds = 100'000'000'000;
constexpr std::size_t kMaxHeaderBytes = 4'096;

// A number as clients meet it: optional minus, digits, perhaps a fraction (rounded up), perhaps parameters behind ';'.
std::optional<std::int64_t> ParseNumber(std::string_view text) {
  text = Trim(text.substr(0, text.find(';')));
  const bool negative = !text.empty() && text.front() == '-';
  text.remove_prefix(negative ? 1 : 0);
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  std::string_view fraction = text.substr(digits);
  if (digits == 0 || (!fraction.empty() && (fraction.size() < 2 || fraction.front() != '.' ||
                                            fraction.find_first_not_of("0123456789", 1) != std::string_view::npos))) {
    return std::nullopt;
  }
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + digits, number);
  if (error == std::errc::result_out_of_range) {
    number = std::numeric_limits<std::int64_t>::max();
  } else if (fraction.find_first_of("123456789") != std::string_view::npos &&
             number < std::numeric_limits<std::int64_t>::max()) {
    ++number;
  }
  return negative ? -number : number;
}

// The other side's clock where it shows one: our own may be wrong. That is why libcurl does not read the header for us
// (CURLINFO_RETRY_AFTER): it counts from our clock.
WallTime TheirNow(std::string_view date_header, WallTime wall) { return ParseHttpDate(date_header).value_or(wall); }

milliseconds Bounded(std::int64_t whole_seconds) {
  return seconds(std::clamp<std::int64_t>(whole_seconds, 0, kMostSeconds));
}

milliseconds Until(WallTime moment, WallTime now) { return Bounded(std::chrono::ceil<seconds>(moment - now).count()); }

// Splits at `separator` outside of quoted strings (RFC 9651 section 3.3.3).
std::vector<std::string_view> SplitUnquoted(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  bool quoted = false;
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\\' && quoted) {
      ++at;
    } else if (text[at] == '"') {
      quoted = !quoted;
    } else if (text[at] == separator && !quoted) {
      parts.push_back(Trim(text.substr(begin, at - begin)));
      begin = at + 1;
    }
  }
  parts.push_back(Trim(text.substr(begin)));
  return parts;
}

struct Policy {
  std::optional<std::int64_t> remaining;
  std::optional<milliseconds> reset;
};

void ReadPair(std::string_view pair, Policy& policy) {
  const std::size_t equals = pair.find('=');
  if (equals == std::string_view::npos) {
    return;
  }
  const std::string_view key = Trim(pair.substr(0, equals));
  const auto number = ParseNumber(pair.substr(equals + 1));
  if (!number) {
    return;
  }
  if (key == "r" || key == "remaining") {
    policy.remaining = number;
  } else if (key == "t" || key == "reset") {
    policy.reset = Bounded(*number);
  }
}

// The structured header in both of its shapes: one policy per list member, or one policy spread over a dictionary.
void ReadStructured(std::string_view value, std::vector<Policy>& policies) {
  Policy dictionary;
  for (const std::string_view member : SplitUnquoted(value.substr(0, kMaxHeaderBytes), ',')) {
    const std::vector<std::string_view> parts = SplitUnquoted(member, ';');
    ReadPair(parts.front(), dictionary);
    Policy policy;
    for (std::size_t i = 1; i < parts.size(); ++i) {
      ReadPair(parts[i], policy);
    }
    policies.push_back(policy);
  }
  policies.push_back(dictionary);
}

std::optional<milliseconds> ParseReset(std::string_view value, WallTime their_now) {
  const auto number = ParseNumber(value);
  if (!number) {
    return std::nullopt;
  }
  if (*number >= kSmallestEpochMilliseconds) {
    return Until(WallTime(milliseconds(std::min(*number, kMostSeconds * 100'000))), their_now);
  }
  return *number >= kSmallestEpochSeconds ? Until(WallTime(seconds(*number)), their_now) : Bounded(*number);
}

void ReadPlain(const Reply& reply, const std::string& prefix, WallTime their_now, std::vector<Policy>& policies) {
  Policy policy;
  policy.remaining = ParseNumber(Header(reply, prefix + "-remaining"));
  policy.reset = ParseReset(Header(reply, prefix + "-reset"), their_now);
  policies.push_back(policy);
}

}  // namespace

std::optional<milliseconds> ParseRetryAfter(const std::string& value, const std::string& date_header, WallTime wall) {
  if (const auto number = ParseNumber(value)) {
    return Bounded(*number);
  }
  const auto date = ParseHttpDate(value);
  if (!date) {
    return std::nullopt;
  }
  return Until(*date, TheirNow(date_header, wall));
}

WaitHints ReadWaitHints(const Reply& reply, WallTime wall) {
  const std::string date(Header(reply, "date"));
  std::vector<Policy> policies;
  for (const std::string_view value : Headers(reply, "ratelimit")) {
    ReadStructured(value, policies);
  }
  for (const char* prefix : {"ratelimit", "x-ratelimit", "x-rate-limit"}) {
    ReadPlain(reply, prefix, TheirNow(date, wall), policies);
  }
  WaitHints hints;
  hints.retry_after = ParseRetryAfter(std::string(Header(reply, "retry-after")), date, wall);
  std::optional<milliseconds> shortest;
  for (const Policy& policy : policies) {
    if (policy.remaining && *policy.remaining <= 0) {
      hints.exhausted = true;
      hints.reset = std::max(hints.reset, policy.reset);  // an absent one is less than any other
    } else if (policy.reset && (!shortest || *policy.reset < *shortest)) {
      shortest = policy.reset;
    }
  }
  if (!hints.exhausted) {
    hints.reset = shortest;
  }
  return hints;
}

}  // namespace packhorse::outcome
