#pragma once

#include "contract/cloud/response_rules.h"
#include "document/document.h"
#include "document/problems.h"

namespace packhorse::contract {

// Reads `response` of a cloud contract, a list of rules, and reports every mistake with its place, what may stand there
// and what was probably meant. Pure; any thread. With errors in `problems` the answer is not to be used.
// Bounded: 200 rules, 32 conditions each, 8 lists of 64 rules each. `confirm`: the contract says how a second request
// confirms; without it no rule may have that verdict.
ResponseRules ReadResponseRules(const document::Node& list, document::Problems& problems, bool confirm = false);

}  // namespace packhorse::contract
