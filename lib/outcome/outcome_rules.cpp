#include "outcome/outcome_rules.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "base/units.h"
#include "base/url.h"
#include "outcome/reply_body.h"
#include "outcome/reply_text.h"
#include "outcome/wait_hints.h"

namespace packhorse::outcome {
namespace {

constexpr std::size_t kReasonBytes = 400;
constexpr std::size_t kRequestIdBytes = 128;
constexpr std::size_t kHeaderValueBytes = 256;

struct Row {
  int first;  // statuses first..last
  int last;
  Action action;
};

// The table of docs/ARCHITECTURE.md; the first row that matches holds. What headers add to it (throttling) is in
// JudgeByStatus; what a contract declares as success or partial success comes before it.
constexpr Row kTable[] = {
    {300, 399, Action::kHold},       // a redirect is not followed: it would carry data and credentials elsewhere
    {400, 400, Action::kBisect},     // refused on its merits: which record is it?
    {401, 401, Action::kAuth},       // no or wrong credential
    {403, 403, Action::kAuth},       // credential without the right
    {408, 408, Action::kRetry},      // the request came too slowly
    {409, 409, Action::kRetry},      // Idempotency-Key draft: the first request with this key is still running
    {413, 413, Action::kTooLarge},   // halve
    {422, 422, Action::kBisect},     // as 400
    {425, 425, Action::kRetry},      // RFC 8470: too early
    {429, 429, Action::kThrottled},  // RFC 6585
    {400, 499, Action::kHold},       // wrong URL, method or media type: a person must mend it
    {501, 501, Action::kHold},       // method not implemented there: waiting does not help
    {505, 505, Action::kHold},       // nor does it against another HTTP version
    {500, 599, Action::kRetry},      // also 507, 508, 511 and those of proxies (520-526): they pass
};

Action TableAction(int status) {
  for (const Row& row : kTable) {
    if (status >= row.first && status <= row.last) {
      return row.action;
    }
  }
  // 1xx is never final (RFC 9110 section 15.2), the rest is not HTTP; a 2xx that nobody declared is no success.
  return status >= 200 && status < 300 ? Action::kDeviation : Action::kHold;
}

// In the order of how well they identify one request.
constexpr std::string_view kRequestIdHeaders[] = {
    "x-request-id",    "request-id",        "x-amzn-requestid", "x-amz-request-id",      "x-ms-request-id",
    "apim-request-id", "x-goog-request-id", "x-correlation-id", "x-influxdb-request-id", "x-amzn-trace-id",
    "cf-ray"};

bool Contains(const std::vector<int>& statuses, int status) {
  return std::find(statuses.begin(), statuses.end(), status) != statuses.end();
}

std::string WithDetail(std::string start, std::string_view detail) {
  if (!detail.empty()) {
    start += ": ";
    start += detail;
  }
  return Shorten(start, kReasonBytes);
}

void ReadCommonHeaders(const Reply& reply, Verdict& verdict) {
  for (const std::string_view name : kRequestIdHeaders) {
    const std::string_view value = Header(reply, name);
    if (!value.empty()) {
      verdict.provider_request_id = OneLine(value, kRequestIdBytes);
      break;
    }
  }
  for (const char* name : {"sunset", "deprecation"}) {  // RFC 8594, RFC 9745
    const std::string_view value = Header(reply, name);
    if (!value.empty()) {
      verdict.deprecations.emplace_back(name, OneLine(value, kHeaderValueBytes));
    }
  }
}

Verdict NoReply(const Reply& reply) {
  Verdict verdict;
  verdict.action = reply.outcome_unknown && !reply.unreachable ? Action::kUnknown : Action::kRetry;
  verdict.reason = OneLine(reply.error, kReasonBytes);
  if (verdict.reason.empty()) {
    verdict.reason = reply.unreachable ? "the other side could not be reached" : "no complete reply";
  }
  return verdict;
}

void Deviate(const Reply& reply, std::string_view why, Verdict& verdict) {
  verdict.action = Action::kDeviation;
  verdict.problem_detail = OneLine(reply.body, kReasonBytes);
  verdict.reason = WithDetail(StatusLine(reply.status) + ", but not a success", why);
}

// Whether the reply was a per-record answer (or had to be one).
bool JudgePartial(const Reply& reply, const contract::ResponseRules& rules, const std::vector<std::string>& record_ids,
                  const WaitHints& hints, Verdict& verdict) {
  Partial partial = ReadPartial(reply, rules, record_ids);
  const bool other_reading = reply.status >= 300 || Contains(rules.success, reply.status);
  if (!partial.declared && other_reading) {
    return false;
  }
  if (!partial.declared && partial.contradiction.empty()) {
    partial.contradiction = "the body does not have the declared shape";
  }
  if (!partial.contradiction.empty()) {
    Deviate(reply, partial.contradiction, verdict);
    return true;
  }
  std::size_t rejected = 0;
  std::size_t retried = 0;
  for (const RecordResult& record : partial.records) {
    rejected += record.verdict == RecordVerdict::kRejected ? 1 : 0;
    retried += record.verdict == RecordVerdict::kRetry ? 1 : 0;
  }
  if (rejected + retried == 0) {
    verdict.action = Action::kDelivered;
    verdict.reason = StatusLine(reply.status);
    return true;
  }
  verdict.action = Action::kPartial;
  verdict.reason = StatusLine(reply.status) + ": of " + std::to_string(partial.records.size()) + " records " +
                   std::to_string(rejected) + " were rejected, " + std::to_string(retried) + " are to be sent again";
  verdict.records = std::move(partial.records);
  if (hints.retry_after) {
    verdict.retry_after = hints.retry_after;
  }
  return true;
}

// Scheme, host and path of a redirect's target: a query or user part may hold a secret.
std::string RedirectTarget(const Reply& reply) {
  const UrlParts target = SplitUrl(Header(reply, "location"));
  std::string shown(target.lead);
  shown += target.host;
  shown += target.path;
  return OneLine(shown, kHeaderValueBytes);
}

void JudgeByStatus(const Reply& reply, const WaitHints& hints, Verdict& verdict) {
  Problem problem = ReadProblem(reply);
  verdict.action = TableAction(reply.status);
  const bool may_be_throttling = reply.status == 403 || reply.status == 503;
  if ((may_be_throttling && hints.exhausted) || (reply.status == 503 && hints.retry_after)) {
    verdict.action = Action::kThrottled;
  }
  verdict.retry_after = hints.retry_after;
  if (!verdict.retry_after && verdict.action == Action::kThrottled) {
    verdict.retry_after = hints.reset;
  }
  if (verdict.action == Action::kDeviation) {
    Deviate(reply, "the contract does not declare this status", verdict);
    return;
  }
  verdict.problem_type = std::move(problem.type);
  verdict.problem_detail = std::move(problem.detail);
  std::string_view detail = verdict.problem_detail;
  std::string redirect;
  if (reply.status >= 300 && reply.status < 400) {
    redirect = "redirects are not followed, location " + RedirectTarget(reply);
    detail = redirect;
  }
  verdict.reason = WithDetail(StatusLine(reply.status), detail.empty() ? verdict.problem_type : detail);
}

}  // namespace

std::string_view Name(Action action) {
  constexpr std::array<std::string_view, 10> kNames = {"delivered", "partial", "throttled", "retry", "unknown",
                                                       "too_large", "bisect",  "auth",      "hold",  "deviation"};
  const auto index = static_cast<std::size_t>(action);
  return index < kNames.size() ? kNames[index] : std::string_view("invalid");
}

Verdict Judge(const Reply& reply, const contract::ResponseRules& rules, const std::vector<std::string>& record_ids,
              WallTime wall) {
  if (!reply.complete) {
    return NoReply(reply);
  }
  Verdict verdict;
  ReadCommonHeaders(reply, verdict);
  const WaitHints hints = ReadWaitHints(reply, wall);
  if (reply.status < 300 && hints.exhausted && hints.reset > std::chrono::milliseconds::zero()) {
    verdict.retry_after = hints.reset;
  }
  if (Contains(rules.partial, reply.status) && JudgePartial(reply, rules, record_ids, hints, verdict)) {
    return verdict;
  }
  if (!Contains(rules.success, reply.status)) {
    JudgeByStatus(reply, hints, verdict);
    return verdict;
  }
  if (const auto contradiction = CheckSuccess(reply, rules, record_ids.size())) {
    Deviate(reply, *contradiction, verdict);
  } else {
    verdict.action = Action::kDelivered;
    verdict.reason = StatusLine(reply.status);
  }
  return verdict;
}

}  // namespace packhorse::outcome
