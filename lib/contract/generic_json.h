#pragma once

#include <memory>
#include <string>

#include "contract/device_contract.h"
#include "contract/device_time.h"
#include "contract/json_flatten.h"

namespace packhorse::contract {

// The data of a device contract of format "json" without a field table: what contracts/device/generic-json@*.json says.
struct GenericJsonRules {
  std::string name;  // name@major.minor
  JsonLimits limits;
  TimeRules time;
};

std::shared_ptr<const DeviceContract> MakeGenericJson(GenericJsonRules rules);

}  // namespace packhorse::contract
