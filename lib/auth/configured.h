#pragma once

#include "auth/credentials.h"
#include "config/config.h"

namespace packhorse::auth {

// What the configuration says of a secret and of a destination's credentials.
SecretSource Configured(const config::SecretRef& ref);
Options Configured(const config::Destination& destination);

}  // namespace packhorse::auth
