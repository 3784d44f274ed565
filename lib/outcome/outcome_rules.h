#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "contract/cloud_contract.h"
#include "record/outcome.h"

namespace packhorse::outcome {

// Turns what came back into what happens: the table of README.md, as data. Pure
// functions.

// A reply, without the transport library's types.
struct Reply {
  bool complete = false;         // an HTTP response arrived whole
  bool outcome_unknown = false;  // not complete, and the other side may have acted
  bool unreachable = false;      // not complete, and nothing was sent (DNS, connect, TLS)
  std::string error;             // for people, when not complete
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;
  bool truncated = false;
};

enum class Action : std::uint8_t {
  kDelivered,  // all records
  kPartial,    // see `records`
  kThrottled,  // wait, then the same bytes
  kRetry,      // back off, then the same bytes
  kUnknown,    // like kRetry; counted as possible duplicate
  kTooLarge,   // halve
  kBisect,     // refused as a whole on its merits: find the record
  kAuth,       // other credential once, refresh once, then hold
  kHold,       // nothing is lost: alert and probe
  kDeviation,  // a success that is none: sent once more, then hold
};
std::string_view Name(Action action);

struct RecordResult {
  RecordVerdict verdict = RecordVerdict::kDelivered;
  std::string detail;  // the provider's words for a rejected record, at most 2 KiB
};

struct Verdict {
  Action action = Action::kRetry;
  std::string reason;  // "HTTP 503 Service Unavailable", "connection refused", ...: one line, bounded, no secret
  std::vector<RecordResult> records;                     // kPartial: one per record sent, in order
  std::optional<std::chrono::milliseconds> retry_after;  // Retry-After (both forms) or rate headers; see README
  std::string provider_request_id;                       // x-request-id, x-amzn-requestid, cf-ray, ...
  std::string problem_type;                              // RFC 9457 `type`, empty when there is none
  std::string problem_detail;                            // its title and detail, or the start of the body, bounded
  std::vector<std::pair<std::string, std::string>> deprecations;  // Sunset and Deprecation headers as found
};

// `record_ids` in the order sent. `wall` only serves where a reply has a Retry-After date and no Date of its own.
Verdict Judge(const Reply& reply, const contract::ResponseRules& rules, const std::vector<std::string>& record_ids,
              WallTime wall);

// Retry-After in both forms (RFC 9110 section 10.2.3); a date is taken against the reply's own Date where it has one.
std::optional<std::chrono::milliseconds> ParseRetryAfter(const std::string& value, const std::string& date_header,
                                                         WallTime wall);

}  // namespace packhorse::outcome
