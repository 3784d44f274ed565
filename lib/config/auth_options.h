#pragma once

#include "auth/credentials.h"
#include "config/config.h"

namespace packhorse::config {

// What lib/auth has to know of a secret and of a destination's credentials.
auth::SecretSource SourceOf(const SecretRef& ref);
auth::Options AuthOptions(const Destination& destination);

}  // namespace packhorse::config
