#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "contract/cloud/definition.h"
#include "document/problems.h"

namespace packhorse::contract {

struct ContractRead {
  std::shared_ptr<const CloudDefinition> definition;  // null where there is an error among the problems
  std::vector<document::Problem> problems;            // all of them, warnings too, in file order
};

// Reads a cloud contract in either form: the language (contracts/schema/cloud-contract-2.schema.json), or the first
// form, which has an "envelope". `file` is its name in messages. Bounded as documents are. Pure; any thread.
ContractRead ReadCloudContract(std::string_view text, const std::string& file);

}  // namespace packhorse::contract
