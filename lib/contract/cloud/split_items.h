#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "contract/cloud/definition.h"

namespace packhorse::contract {

// The items of a body of this definition, byte for byte. `items` is what stands between the first and the last.
// kCorrupt: they are none. REQUIRES: no group, no text.
Result<std::vector<std::string>> SplitItems(const CloudDefinition& definition, std::string_view items);

}  // namespace packhorse::contract
