#pragma once

#include <memory>

#include "contract/device_contract.h"

namespace packhorse::contract {

// Decodes what the daemon itself puts into the queue about messages that are missing: a flat JSON object becomes a
// record of kind gap, which names no device, topic or device contract. contracts/README.md has the members.
Result<std::shared_ptr<const DeviceContract>> MakeGapContract();

}  // namespace packhorse::contract
