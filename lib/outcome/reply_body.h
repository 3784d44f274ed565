#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "outcome/outcome_rules.h"

namespace packhorse::outcome {

// What stands in the body of a reply. Pure functions; nothing throws; a body is only parsed when its size, depth and
// number of values are within bounds (4 MiB, 32, 16 Ki or 16 per record sent).

// What an error reply says for people. All parts are single lines of at most 2 KiB.
struct Problem {
  std::string type;    // RFC 9457 `type`
  std::string detail;  // title and detail; a message in one of the usual members; or the start of the body
};
Problem ReadProblem(const Reply& reply);

// A whole batch accepted: nothing, or why the body contradicts that ("accepted is 3, but 5 records were sent").
std::optional<std::string> CheckSuccess(const Reply& reply, const contract::ResponseRules& rules, std::size_t sent);

// A per-record answer. `declared` is false when the body has none of the declared members.
struct Partial {
  bool declared = false;
  std::string contradiction;          // why it cannot be believed; empty when it can
  std::vector<RecordResult> records;  // one per record sent, in order, when there is no contradiction
};
Partial ReadPartial(const Reply& reply, const contract::ResponseRules& rules,
                    const std::vector<std::string>& record_ids);

}  // namespace packhorse::outcome
