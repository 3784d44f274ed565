#pragma once

#include "contract/cloud/response_rules.h"

namespace packhorse::outcome {

// What statuses mean where a contract says nothing: contracts/outcome/common.json, compiled in and read once. Any
// thread. A rule for a whole class of statuses ("4xx") is there for what nobody expects.
const contract::ResponseRules& CommonRules();

}  // namespace packhorse::outcome
