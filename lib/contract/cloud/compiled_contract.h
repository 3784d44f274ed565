#pragma once

#include <memory>

#include "contract/cloud/definition.h"

namespace packhorse::contract {

// A definition with the values of its settings. kInvalidArgument names settings that are missing, unknown, secret, or
// cannot stand where the contract puts them. `tables`: those that settings can name.
Result<std::shared_ptr<const CloudContract>> MakeCloudContract(std::shared_ptr<const CloudDefinition> definition,
                                                               const SettingValues& settings,
                                                               const LookupTables& tables = {});

}  // namespace packhorse::contract
