#include "tryout/advice.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "tryout/reply_space.h"

namespace packhorse::tryout {
namespace {

using contract::ItemRule;
using contract::ResponseRule;
using contract::ResponseRules;
using contract::RuleVerdict;

std::string PlaceOfRule(std::size_t rule) { return "/response/" + std::to_string(rule); }

bool Accepts(RuleVerdict verdict) {
  return verdict == RuleVerdict::kAccepted || verdict == RuleVerdict::kDuplicate ||
         verdict == RuleVerdict::kPartialUnknown || verdict == RuleVerdict::kConfirm;
}

bool Accepts(const ResponseRule& rule) {
  if ((rule.verdict && Accepts(*rule.verdict)) || (rule.rest && Accepts(*rule.rest)) ||
      (rule.first_bad && Accepts(rule.first_bad->before))) {
    return true;
  }
  return std::any_of(rule.lists.begin(), rule.lists.end(), [](const contract::ItemList& list) {
    return std::any_of(list.item.begin(), list.item.end(), [](const ItemRule& item) { return Accepts(item.verdict); });
  });
}

// The rules with another verdict in one of them: where replies are judged differently, they reach it.
ResponseRules WithOther(const ResponseRules& rules, std::size_t index) {
  ResponseRules other = rules;
  ResponseRule& rule = other.rules[index];
  ResponseRule stand_in;
  stand_in.status = rule.status;
  stand_in.when = rule.when;
  stand_in.many_documents = rule.many_documents;
  stand_in.verdict = rule.verdict == RuleVerdict::kAuth ? RuleVerdict::kHold : RuleVerdict::kAuth;
  rule = std::move(stand_in);
  return other;
}

bool Reaches(const ResponseRules& rules, const ResponseRules& other, const Tried::Request& request,
             const Sample::Reply& reply) {
  return JudgeReply(rules, request, reply).batch != JudgeReply(other, request, reply).batch;
}

// For each sample with replies its first request.
std::vector<std::optional<Tried::Request>> RequestsOf(const contract::CloudContract& contract,
                                                      const std::vector<Sample>& samples) {
  std::vector<std::optional<Tried::Request>> requests;
  for (const Sample& sample : samples) {
    Result<Tried> tried = Render(contract, sample);
    requests.push_back(tried && !tried->requests.empty() ? std::optional(tried->requests.front()) : std::nullopt);
  }
  return requests;
}

bool ShownBySample(const ResponseRules& rules, const ResponseRules& other, const std::vector<Sample>& samples,
                   const std::vector<std::optional<Tried::Request>>& requests) {
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const auto& replies = samples[i].replies;
    if (requests[i] && std::any_of(replies.begin(), replies.end(), [&](const Sample::Reply& reply) {
          return Reaches(rules, other, *requests[i], reply);
        })) {
      return true;
    }
  }
  return false;
}

// A rule for whatever is left that condemns records: what its author forgot is buried.
void AdviseOnLastRules(const ResponseRules& rules, std::vector<std::string>& advice) {
  for (std::size_t i = 0; i < rules.rules.size(); ++i) {
    const ResponseRule& rule = rules.rules[i];
    if (rule.when.empty() && rule.verdict == RuleVerdict::kRejected &&
        rule.status != std::vector{std::pair(413, 413)}) {
      advice.push_back(
          PlaceOfRule(i) +
          ": refuses a batch whatever the reply says; name what is the records' fault, the rest is tried again");
    }
    for (std::size_t j = 0; j < rule.lists.size(); ++j) {
      const auto& items = rule.lists[j].item;
      const bool patient = std::any_of(items.begin(), items.end(), [](const ItemRule& item) {
        return item.verdict == RuleVerdict::kRetry || item.verdict == RuleVerdict::kThrottled;
      });
      if (items.size() > 1 && !patient && items.back().when.empty() && items.back().verdict == RuleVerdict::kRejected) {
        advice.push_back(
            PlaceOfRule(i) + "/lists/" + std::to_string(j) + "/item/" + std::to_string(items.size() - 1) +
            ": refuses whatever is left, and no rule before it tries again: a fault that passes buries records");
      }
    }
  }
}

}  // namespace

std::vector<std::string> Advice(const contract::CloudContract& contract, const std::vector<Sample>& samples) {
  const ResponseRules& rules = contract.response();
  std::vector<std::string> advice;
  if (std::none_of(rules.rules.begin(), rules.rules.end(), [](const ResponseRule& rule) { return Accepts(rule); })) {
    advice.emplace_back("/response: no rule accepts anything: no record will ever count as delivered");
  }
  AdviseOnLastRules(rules, advice);
  const ReplySpace space = RepliesFor({&rules});
  const std::vector<std::optional<Tried::Request>> requests = RequestsOf(contract, samples);
  for (std::size_t i = 0; i < rules.rules.size(); ++i) {
    const ResponseRule& rule = rules.rules[i];
    if (rule.verdict == RuleVerdict::kPartialUnknown && rule.bisect && !contract.accepts().overwrites) {
      advice.push_back(PlaceOfRule(i) +
                       ": sends the good records again to find the bad one; say \"overwrites\": true in accepts where "
                       "the API stores a record that comes twice once");
    }
    const ResponseRules other = WithOther(rules, i);
    const bool reached = std::any_of(space.replies.begin(), space.replies.end(), [&](const Sample::Reply& reply) {
      return Reaches(rules, other, RequestOfSpace(), reply);
    });
    if (!reached && space.complete) {
      advice.push_back(PlaceOfRule(i) + ": can never be reached: the rules before it take every reply that fits");
    } else if (!samples.empty() && !ShownBySample(rules, other, samples, requests)) {
      advice.push_back(PlaceOfRule(i) + ": no sample has a reply for it");
    }
  }
  return advice;
}

}  // namespace packhorse::tryout
