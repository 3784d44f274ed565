#pragma once

#include "auth/credentials.h"
#include "config/config.h"

namespace packhorse::daemon {

// The configuration's words for a secret in those of lib/auth.
auth::SecretSource ToSource(const config::SecretRef& ref);
auth::Options AuthOptions(const config::Destination& destination);

}  // namespace packhorse::daemon
