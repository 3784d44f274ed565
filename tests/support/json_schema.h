#pragma once

#include <string>
#include <vector>

namespace packhorse::test {

// What is wrong with each of these JSON documents by the schema in `file`, in their order; empty when nothing is. Asks
// Debian's python3-jsonschema: a process each call, so ask about all at once. Throws std::runtime_error when it cannot.
std::vector<std::string> SchemaComplaints(const std::string& file, const std::vector<std::string>& documents);

}  // namespace packhorse::test
