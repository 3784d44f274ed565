#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "contract/generic_json.h"

namespace packhorse::contract {

// Reads the files of contracts/device/. The files are data of ours, but they are checked like anybody's: an error names
// the JSON pointer, what stands there and what is wanted.

// "generic-json@1" or "generic-json@1.0".
struct ContractName {
  std::string name;
  unsigned major = 0;
  std::optional<unsigned> minor;
};
Result<ContractName> ParseContractName(std::string_view text);

Result<GenericJsonRules> ParseDeviceContract(std::string_view json);

}  // namespace packhorse::contract
