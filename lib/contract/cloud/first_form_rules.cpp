#include "contract/cloud/first_form_rules.h"

#include <algorithm>
#include <utility>

#include "contract/cloud/reply_place.h"

namespace packhorse::contract {
namespace {

Place PlaceOf(const std::string& pointer) {
  // What is no pointer is a name that no reply has.
  return Place{Place::Of::kElement, PointerTokens(pointer).value_or(std::vector<std::string>{pointer})};
}

ItemList ListOf(const std::string& pointer, const std::string& id_pointer, ItemRule item) {
  ItemList list;
  list.each = PlaceOf(pointer).path;
  list.each.emplace_back("*");
  list.by = ItemList::By::kId;
  list.at = PlaceOf(id_pointer);
  list.item.push_back(std::move(item));
  return list;
}

// The rule for statuses [status], without a verdict yet.
ResponseRule Shape(const FirstFormResponse& response, int status) {
  ResponseRule rule;
  rule.status = {{status, status}};
  if (!response.accepted_pointer.empty()) {
    rule.accepted_count = PlaceOf(response.accepted_pointer);
  }
  if (!response.rejected_pointer.empty()) {
    rule.lists.push_back(ListOf(response.rejected_pointer, response.rejected_id_pointer,
                                {{}, RuleVerdict::kRejected, PlaceOf(response.rejected_error_pointer)}));
  }
  if (!response.retry_pointer.empty()) {
    rule.lists.push_back(ListOf(response.retry_pointer, "", {{}, RuleVerdict::kRetry, std::nullopt}));
  }
  return rule;
}

}  // namespace

ResponseRules FirstFormRules(const FirstFormResponse& response) {
  constexpr int kFirstThatIsNoSuccess = 300;
  ResponseRules rules;
  for (const int status : response.partial) {
    ResponseRule rule = Shape(response, status);
    rule.rest = RuleVerdict::kAccepted;
    const bool otherwise =
        std::find(response.success.begin(), response.success.end(), status) != response.success.end();
    if (status < kFirstThatIsNoSuccess && !otherwise) {
      rules.rules.push_back(std::move(rule));
      continue;
    }
    // Such a status may say something else as well: it is this answer where one of its members is there.
    for (const std::string* pointer :
         {&response.accepted_pointer, &response.rejected_pointer, &response.retry_pointer}) {
      if (!pointer->empty()) {
        rule.when = {Condition{PlaceOf(*pointer), {Wanted{Wanted::Kind::kPresent, "", 0}}}};
        rules.rules.push_back(rule);
      }
    }
  }
  for (const int status : response.success) {
    ResponseRule rule = Shape(response, status);
    rule.verdict = RuleVerdict::kAccepted;
    if (response.accepted_pointer.empty()) {
      rule.lists.clear();  // the status alone is the answer
    }
    rules.rules.push_back(std::move(rule));
  }
  return rules;
}

}  // namespace packhorse::contract
