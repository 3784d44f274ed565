#pragma once

#include "auth/authorizer.h"
#include "config/config.h"

namespace packhorse::config {

// What lib/auth has to know of a secret and of how a destination's requests are authenticated.
auth::SecretSource SourceOf(const SecretRef& ref);
auth::SecretPlace PlaceOf(const SecretRef& ref);
auth::AuthOptions AuthOptions(const Destination& destination);

}  // namespace packhorse::config
