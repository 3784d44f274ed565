#include "outcome/outcome_rules.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/text.h"
#include "base/units.h"
#include "base/url.h"
#include "outcome/common_rules.h"
#include "outcome/item_verdicts.h"
#include "outcome/rate_headers.h"
#include "outcome/reply_document.h"
#include "outcome/reply_text.h"
#include "outcome/reply_words.h"
#include "outcome/wait_hints.h"

namespace packhorse::outcome {
namespace {

using contract::ResponseRule;
using contract::ResponseRules;
using contract::RuleVerdict;
using std::chrono::milliseconds;

constexpr int kFirstThatIsNoSuccess = 300;
constexpr double kMostWaitMilliseconds = 366.0 * 86'400'000;
constexpr std::size_t kReasonBytes = 400;
constexpr std::size_t kProblemBytes = 2'048;
constexpr std::size_t kRequestIdBytes = 128;
constexpr std::size_t kHeaderValueBytes = 256;

// In the order of how well they identify one request.
constexpr std::string_view kRequestIdHeaders[] = {
    "x-request-id",    "request-id",        "x-amzn-requestid", "x-amz-request-id",      "x-ms-request-id",
    "apim-request-id", "x-goog-request-id", "x-correlation-id", "x-influxdb-request-id", "x-amzn-trace-id",
    "cf-ray"};

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

// Scheme, host and path of a redirect's target: a query or user part may hold a secret.
std::string RedirectTarget(const Reply& reply) {
  const UrlParts target = SplitUrl(Header(reply, "location"));
  std::string shown(target.lead);
  shown += target.host;
  shown += target.path;
  return OneLine(shown, kHeaderValueBytes);
}

Action ActionOf(RuleVerdict verdict) {
  switch (verdict) {
    case RuleVerdict::kAccepted:
    case RuleVerdict::kDuplicate:
      return Action::kDelivered;
    case RuleVerdict::kRetry:
      return Action::kRetry;
    case RuleVerdict::kThrottled:
      return Action::kThrottled;
    case RuleVerdict::kTooLarge:
      return Action::kTooLarge;
    case RuleVerdict::kAuth:
      return Action::kAuth;
    case RuleVerdict::kHold:
      return Action::kHold;
    case RuleVerdict::kRejected:
    case RuleVerdict::kPartialUnknown:
      return Action::kBisect;
    case RuleVerdict::kConfirm:
      return Action::kConfirm;
  }
  return Action::kHold;
}

bool HasStatus(const ResponseRule& rule, int status) {
  return rule.status.empty() || std::any_of(rule.status.begin(), rule.status.end(), [status](const auto& range) {
           return status >= range.first && status <= range.second;
         });
}

bool ReadsBody(const ResponseRule& rule) {
  using Of = contract::Place::Of;
  const auto of = rule.first_bad ? rule.first_bad->at.of : Of::kText;
  return !rule.lists.empty() || rule.accepted_count || of == Of::kElement || of == Of::kDocument;
}

bool LooksAtText(const ResponseRule& rule) {
  return std::any_of(rule.when.begin(), rule.when.end(),
                     [](const auto& condition) { return condition.place.of == contract::Place::Of::kText; });
}

// Applies rules to one reply.
class ReplyJudge {
 public:
  ReplyJudge(const Reply& reply, const Sent& sent, WallTime wall)
      : reply_(reply),
        sent_(sent),
        hints_(ReadWaitHints(reply, wall)),
        items_(ItemCount(sent)),
        view_(reply, hints_, items_) {
    ReadCommonHeaders(reply, verdict_);
    verdict_.announced = ReadAnnouncements(reply, wall);
  }

  Verdict Run(const ResponseRules& rules, const ResponseRules* overrides) {
    confirm_ = rules.confirm ? &*rules.confirm : nullptr;
    if (const ResponseRule* rule = FirstThatFits(rules); rule != nullptr) {
      Apply(*rule);
      return std::move(verdict_);
    }
    const ResponseRule* rule = overrides == nullptr ? nullptr : FirstThatFits(*overrides);
    if (rule == nullptr) {
      const bool success = reply_.status >= 200 && reply_.status < kFirstThatIsNoSuccess;
      rule = success ? nullptr : FirstThatFits(CommonRules());
      verdict_.unexpected = rule == nullptr || IsForAClass(*rule);
      if (success) {
        Deviate(!view_.failure().empty() ? view_.failure()
                : declared_              ? "no rule of the contract fits it"
                                         : "the contract does not declare this status");
        return std::move(verdict_);
      }
    }
    if (rule == nullptr) {
      // 1xx is never final (RFC 9110 section 15.2), the rest is not HTTP.
      Fail(Action::kHold, nullptr);
    } else {
      Apply(*rule);
    }
    return std::move(verdict_);
  }

 private:
  static bool IsForAClass(const ResponseRule& rule) {
    return rule.when.empty() && std::any_of(rule.status.begin(), rule.status.end(),
                                            [](const auto& range) { return range.second > range.first; });
  }

  const ResponseRule* FirstThatFits(const ResponseRules& rules) {
    for (const ResponseRule& rule : rules.rules) {
      if (!HasStatus(rule, reply_.status)) {
        continue;
      }
      declared_ = true;
      // An error may come from somebody on the way, whose body is another than the contract declares.
      const bool elsewhere = reply_.status >= kFirstThatIsNoSuccess && ReadsBody(rule);
      if (view_.Fits(rule.when, rule.many_documents, nullptr) &&
          (!elsewhere || view_.Body(rule.many_documents).readable())) {
        return &rule;
      }
    }
    return nullptr;
  }

  void Apply(const ResponseRule& rule) {
    if (rule.wait) {
      wait_ = ReadWait(rule);
    }
    if (!rule.verdict) {
      ApplyItems(rule);
    } else if (ActionOf(*rule.verdict) == Action::kDelivered) {
      ApplyAccepted(rule);
    } else if (*rule.verdict == RuleVerdict::kPartialUnknown) {
      ApplyPartialUnknown(rule);
    } else if (*rule.verdict == RuleVerdict::kConfirm) {
      ApplyConfirm(rule);
    } else {
      Fail(ActionOf(*rule.verdict), &rule);
    }
    if (wait_) {
      verdict_.retry_after = wait_;
    }
  }

  // Why the reply cannot have been meant as a success, whatever its status; empty: it can. A page is from somebody on
  // the way, unless the rule knows its text; of a body that could not be read no rule knows what it says.
  std::string WhyNoSuccess(const ResponseRule& rule) {
    if (!view_.failure().empty() && !(LooksAtText(rule) || view_.empty())) {
      return view_.failure();
    }
    return IsHtml(reply_) && !LooksAtText(rule) ? "the body is " + DescribeHtml(reply_) : "";
  }

  void ApplyAccepted(const ResponseRule& rule) {
    std::string why = rule.accepted_count ? CheckCount(rule) : WhyNoSuccess(rule);
    if (why.empty() && NamesAnybody(view_, rule)) {
      // Accepted and yet refused: a partial failure must not pass as a success.
      why = "all " + std::string(ItemWord(sent_)) + " are accepted, but some are also refused";
    }
    if (!why.empty()) {
      Deviate(why);
      return;
    }
    verdict_.action = Action::kDelivered;
    verdict_.reason = StatusLine(reply_.status);
  }

  std::string CheckCount(const ResponseRule& rule) {
    const ReplyBody& body = view_.Body(rule.many_documents);
    if (!body.readable()) {
      return body.error;
    }
    const std::string things(ItemWord(sent_));
    const auto accepted = Count(view_.Value(*rule.accepted_count, rule.many_documents, nullptr));
    if (!accepted) {
      return "it has no count of accepted " + things;
    }
    return *accepted == items_ ? ""
                               : "accepted is " + std::to_string(*accepted) + ", but " + std::to_string(items_) + " " +
                                     things + " were sent";
  }

  void ApplyItems(const ResponseRule& rule) {
    const ReplyBody& body = view_.Body(rule.many_documents);
    if (!body.readable() && !rule.first_bad) {
      Deviate(body.error);
      return;
    }
    const ItemAnswer answer =
        rule.first_bad ? ReadFirstBad(view_, rule, sent_, WordsOfReply(&rule).detail) : ReadLists(view_, rule, sent_);
    if (!answer.contradiction.empty()) {
      Deviate(answer.contradiction);
      return;
    }
    verdict_.unexpected = verdict_.unexpected || answer.unnamed > 0;
    if (answer.accepted == items_) {
      verdict_.action = Action::kDelivered;
      verdict_.reason = StatusLine(reply_.status);
      return;
    }
    if (answer.accepted + answer.rejected == 0 && answer.throttled > 0) {
      Fail(Action::kThrottled, nullptr);
      return;
    }
    Divide(answer);
  }

  void Divide(const ItemAnswer& answer) {
    std::size_t rejected = 0;
    std::size_t retried = 0;
    for (const RecordResult& record : answer.records) {
      rejected += record.verdict == RecordVerdict::kRejected ? 1U : 0U;
      retried += record.verdict == RecordVerdict::kRetry ? 1U : 0U;
    }
    verdict_.action = Action::kPartial;
    verdict_.reason = StatusLine(reply_.status) + ": of " + std::to_string(answer.records.size()) + " records " +
                      std::to_string(rejected) + " were rejected, " + std::to_string(retried) + " are to be sent again";
    verdict_.records = answer.records;
    if (hints_.retry_after) {
      verdict_.retry_after = hints_.retry_after;
    }
  }

  void ApplyPartialUnknown(const ResponseRule& rule) {
    if (rule.bisect) {
      Fail(Action::kBisect, &rule);
      verdict_.maybe_stored = items_ > 1;
      return;
    }
    if (const std::string why = WhyNoSuccess(rule); !why.empty()) {
      Deviate(why);
      return;
    }
    std::optional<std::uint64_t> refused = items_ > 1 ? 0U : 1U;  // one item was not taken in part
    if (rule.rejected_count) {
      refused = CountOrText(view_.Value(*rule.rejected_count, rule.many_documents, nullptr));
    }
    if (!refused || *refused > items_) {
      Deviate(!refused ? "it has no count of what was refused"
                       : "refused are " + std::to_string(*refused) + ", but " + std::to_string(items_) + " " +
                             std::string(ItemWord(sent_)) + " were sent");
    } else if (*refused == items_) {
      Fail(Action::kBisect, &rule);  // nothing was taken
    } else {
      Fail(Action::kDelivered, &rule);
      if (*refused > 0 || !rule.rejected_count) {
        verdict_.refused_unnamed = refused;
      }
    }
  }

  void ApplyConfirm(const ResponseRule& rule) {
    constexpr std::size_t kLongestKey = 1'024;
    const auto key = confirm_ == nullptr ? std::nullopt : view_.Text(confirm_->key, rule.many_documents, nullptr);
    if (const std::string why = WhyNoSuccess(rule); !why.empty()) {
      Deviate(why);
    } else if (!key || key->empty() || key->size() > kLongestKey || std::any_of(key->begin(), key->end(), IsControl)) {
      Deviate("it says not what to ask for to have it confirmed");
    } else {
      verdict_.action = Action::kConfirm;
      verdict_.reason = StatusLine(reply_.status) + ", to be confirmed";
      const JsonValue* value = view_.Value(confirm_->key, rule.many_documents, nullptr);
      verdict_.confirm_key = {*key, value != nullptr && value->is_number()};
    }
  }

  Problem WordsOfReply(const ResponseRule* rule) {
    Problem problem = ReadProblem(reply_);
    if (rule != nullptr && rule->reason) {
      const JsonValue* value = view_.Value(*rule->reason, rule->many_documents, nullptr);
      const auto text = view_.Text(*rule->reason, rule->many_documents, nullptr);
      if (value != nullptr && !value->is_null()) {
        problem.detail = WordsOf(value);
      } else if (text) {
        problem.detail = OneLine(*text, kProblemBytes);
      }
    }
    return problem;
  }

  // What is true of the whole batch, with the reply's words.
  void Fail(Action action, const ResponseRule* rule) {
    Problem problem = WordsOfReply(rule);
    verdict_.action = action;
    if (action != Action::kDelivered) {
      verdict_.retry_after = hints_.retry_after;
    }
    if (!verdict_.retry_after && action == Action::kThrottled) {
      verdict_.retry_after = hints_.reset;
    }
    verdict_.problem_type = std::move(problem.type);
    verdict_.problem_detail = std::move(problem.detail);
    std::string_view detail = verdict_.problem_detail;
    std::string redirect;
    if (reply_.status >= 300 && reply_.status < 400) {
      redirect = "redirects are not followed, location " + RedirectTarget(reply_);
      detail = redirect;
    }
    verdict_.reason = WithDetail(StatusLine(reply_.status), detail.empty() ? verdict_.problem_type : detail);
  }

  void Deviate(std::string_view why) {
    verdict_.action = Action::kDeviation;
    verdict_.problem_detail = OneLine(reply_.body, kReasonBytes);
    verdict_.reason = WithDetail(StatusLine(reply_.status) + ", but not a success", why);
  }

  std::optional<milliseconds> ReadWait(const ResponseRule& rule) {
    const auto text = view_.Text(rule.wait->at, rule.many_documents, nullptr);
    double number = 0;
    if (!text || !ReadNumber(std::string_view(*text), number) || !(number >= 0)) {
      return std::nullopt;
    }
    const double wait = number * static_cast<double>(rule.wait->unit.count());
    // Longer than anybody waits: an epoch time, or nonsense.
    return wait > kMostWaitMilliseconds ? std::nullopt
                                        : std::optional(milliseconds(static_cast<std::int64_t>(std::ceil(wait))));
  }

  const Reply& reply_;
  const Sent& sent_;
  WaitHints hints_;
  std::size_t items_;
  ReplyView view_;
  bool declared_ = false;  // a rule of the contract is about this status
  const contract::ConfirmRule* confirm_ = nullptr;
  std::optional<milliseconds> wait_;
  Verdict verdict_;
};

}  // namespace

std::string_view Name(Action action) {
  constexpr std::array<std::string_view, 11> kNames = {"delivered", "partial",   "throttled", "retry",
                                                       "unknown",   "too_large", "bisect",    "auth",
                                                       "hold",      "deviation", "confirm"};
  const auto index = static_cast<std::size_t>(action);
  return index < kNames.size() ? kNames[index] : std::string_view("invalid");
}

Verdict Judge(const Reply& reply, const ResponseRules& rules, const Sent& sent, WallTime wall,
              const ResponseRules* overrides) {
  if (!reply.complete) {
    return NoReply(reply);
  }
  return ReplyJudge(reply, sent, wall).Run(rules, overrides);
}

Verdict JudgeConfirmation(const Reply& reply, const contract::ConfirmRule& rule, std::string_view key, WallTime wall) {
  if (!reply.complete) {
    Verdict verdict = NoReply(reply);
    verdict.action = Action::kRetry;
    return verdict;
  }
  std::vector<contract::Condition> done = rule.done;
  for (contract::Condition& condition : done) {
    std::replace(condition.place.path.begin(), condition.place.path.end(), std::string("{key}"), std::string(key));
  }
  const WaitHints hints = ReadWaitHints(reply, wall);
  ReplyView view(reply, hints, 1);
  const bool success = reply.status >= 200 && reply.status < kFirstThatIsNoSuccess;
  Verdict verdict;
  verdict.action = success && view.Fits(done, false, nullptr) ? Action::kDelivered : Action::kRetry;
  verdict.reason = StatusLine(reply.status) + (success ? "" : ", not the reply of a confirmation");
  verdict.retry_after = hints.retry_after;
  verdict.announced = ReadAnnouncements(reply, wall);
  return verdict;
}

std::string WordsOf(const Verdict& verdict) {
  constexpr std::size_t kStart = 64;
  constexpr std::size_t kMarkOfCut = 3;
  const std::string& reason = verdict.reason;
  const std::string& detail = verdict.problem_detail;
  if (detail.empty() || reason.find(detail) != std::string::npos) {
    return reason;
  }
  const std::size_t at = reason.find(detail.substr(0, kStart));
  if (at == std::string::npos) {
    return reason + ": " + detail;
  }
  // The reason ends within them.
  const std::string_view said = std::string_view(reason).substr(at);
  const auto same = std::mismatch(said.begin(), said.end(), detail.begin(), detail.end()).first - said.begin();
  return static_cast<std::size_t>(same) + kMarkOfCut >= said.size() ? reason.substr(0, at) + detail
                                                                    : reason + ": " + detail;
}

}  // namespace packhorse::outcome
