#pragma once

#include "contract/cloud/definition.h"
#include "document/document.h"
#include "document/problems.h"

namespace packhorse::contract {

// Reads `reconcile` of a contract, checked against the schema: how the API tells what it has.
ReconcileDefinition ReadReconcile(const document::Node& node, Declared& declared, document::Problems& problems);

}  // namespace packhorse::contract
