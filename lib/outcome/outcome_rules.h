#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "contract/cloud/response_rules.h"
#include "limit/announced_limits.h"
#include "record/outcome.h"

namespace packhorse::outcome {

// Turns what came back into what happens: rules of the contract, then the common table, as data. Pure functions.

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
  kConfirm,    // taken; Verdict::confirm_key is what to ask for
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
  // No rule of the contract and no row for this very status expects this reply, or it says nothing of some items.
  bool unexpected = false;
  // kBisect: some of the batch was taken and nobody says which; what is sent again may be there already.
  bool maybe_stored = false;
  // kDelivered: items were refused and nobody says which; the contract takes them for lost. 0: nor how many.
  std::optional<std::uint64_t> refused_unnamed;
  contract::ConfirmKey confirm_key;            // kConfirm
  std::vector<limit::Announcement> announced;  // of the API's rate limits, whatever the status
};

// The reason with the provider's words behind it, each of them once.
std::string WordsOf(const Verdict& verdict);

// What was sent: its records, their ids in order, and how many items each of them is (contracts.md: an item is what the
// API counts). Empty: one each. What it refers to must outlive the call. Most replies name no record, so the ids are
// asked for only where one does.
struct Sent {
  std::size_t records = 0;
  std::function<std::vector<std::string>()> record_ids;
  std::span<const std::uint32_t> items_per_record = {};
};

// The first rule that fits holds: of `rules`, then of `overrides` (null: none), then of the common table. `wall` only
// serves where a reply has a Retry-After date and no Date of its own.
Verdict Judge(const Reply& reply, const contract::ResponseRules& rules, const Sent& sent, WallTime wall,
              const contract::ResponseRules* overrides = nullptr);

// The reply to the second request of `confirm`. kDelivered: it confirms the batch; kRetry: not yet, with the reason,
// and retry_after where it asks to wait.
Verdict JudgeConfirmation(const Reply& reply, const contract::ConfirmRule& rule, std::string_view key, WallTime wall);

// Retry-After in both forms (RFC 9110 section 10.2.3); a date is taken against the reply's own Date where it has one.
std::optional<std::chrono::milliseconds> ParseRetryAfter(const std::string& value, const std::string& date_header,
                                                         WallTime wall);

}  // namespace packhorse::outcome
