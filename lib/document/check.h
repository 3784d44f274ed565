#pragma once

#include "document/document.h"
#include "document/problems.h"
#include "document/schema.h"

namespace packhorse::document {

// Checks a document against the schema and reports every deviation. The answer has the same shape with the defaults
// filled in, durations in milliseconds and sizes in bytes (Node::integer), and tells of each value whether it is valid.
Node CheckAgainstSchema(const Node& document, const Schema& schema, Problems& problems);

}  // namespace packhorse::document
