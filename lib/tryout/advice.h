#pragma once

#include <string>
#include <vector>

#include "contract/cloud_contract.h"
#include "tryout/run.h"

namespace packhorse::tryout {

// What is probably not meant in the rules of a contract, one line each: a rule that can never be reached, no rule that
// accepts, a last rule that refuses whatever nobody thought of, a search for the bad record where the API would store
// the others twice, and a rule that no sample shows. Pure function.
std::vector<std::string> Advice(const contract::CloudContract& contract, const std::vector<Sample>& samples);

}  // namespace packhorse::tryout
