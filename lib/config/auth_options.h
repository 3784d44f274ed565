#pragma once

#include "auth/authorizer.h"
#include "base/result.h"
#include "config/config.h"
#include "contract/cloud_contract.h"

namespace packhorse::config {

// What lib/auth has to know of a secret and of how a destination's requests are authenticated.
auth::SecretSource SourceOf(const SecretRef& ref);
auth::SecretPlace PlaceOf(const SecretRef& ref);
// By what the destination and its contract say together. kInvalidArgument: they name different schemes, or both write
// the same header, which would be sent twice.
Result<auth::AuthOptions> AuthOptions(const Gateway& gateway, const Destination& destination,
                                      const contract::CloudContract& contract);

}  // namespace packhorse::config
