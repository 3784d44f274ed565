#pragma once

#include "contract/cloud/definition.h"
#include "document/document.h"
#include "document/problems.h"

namespace packhorse::contract {

// Reads `request` of a contract, checked against the schema, into `definition`, whose settings and `accepts` are read.
void ReadRequest(const document::Node& request, Declared& declared, CloudDefinition& definition,
                 document::Problems& problems);

}  // namespace packhorse::contract
