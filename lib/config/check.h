#pragma once

#include "config/document.h"
#include "config/problems.h"
#include "config/schema.h"

namespace packhorse::config {

// Checks a document against the schema and reports every deviation. The answer has the same shape with the defaults
// filled in, durations in milliseconds and sizes in bytes (Node::integer), and tells of each value whether it is valid.
Node CheckAgainstSchema(const Node& document, const Schema& schema, Problems& problems);

}  // namespace packhorse::config
