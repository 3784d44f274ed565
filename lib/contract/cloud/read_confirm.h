#pragma once

#include "contract/cloud/definition.h"
#include "contract/cloud/placeholder.h"
#include "document/document.h"
#include "document/problems.h"

namespace packhorse::contract {

// Reads `confirm` of a contract into the definition: the second request, and how its reply is read. Behind the request
// itself, whose names it may use. Mistakes are problems at their places.
void ReadConfirm(const document::Node& confirm, Declared& declared, CloudDefinition& definition,
                 document::Problems& problems);

}  // namespace packhorse::contract
