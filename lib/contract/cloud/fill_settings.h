#pragma once

#include "contract/cloud/definition.h"
#include "contract/cloud/renderer.h"

namespace packhorse::contract {

// The settings of a definition in its order, with what a destination gives. kInvalidArgument names all that are
// missing, unknown, secret, or no table. Pure function.
Result<FilledSettings> FillSettings(const CloudDefinition& definition, const SettingValues& given,
                                    const LookupTables& tables);

}  // namespace packhorse::contract
