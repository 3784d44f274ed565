#pragma once

#include "contract/cloud/definition.h"
#include "document/document.h"
#include "document/problems.h"

namespace packhorse::contract {

// Reads `auth`: the name of a scheme (lib/auth), or an object with it as its one member, which holds parameters of the
// API. Placeholders of settings that are no secrets, and of the gateway, are filled in; others are the scheme's.
// Secrets are the destination's. Pure function.
DefinedAuth ReadAuth(const document::Node& auth, Declared& declared, document::Problems& problems);

}  // namespace packhorse::contract
