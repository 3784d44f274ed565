#pragma once

#include <map>
#include <string>
#include <vector>

namespace packhorse::test {

// A golden sample (contracts/golden/): a device's message and what arrival knew of it, and the request body that has to
// come out of it, byte for byte.
struct Golden {
  std::map<std::string, std::string> head;  // "topic" -> "site/a/...", see contracts/README.md
  std::string payload;
  std::string body;
};

// The samples of every version of every cloud contract, as paths from the root of the repository.
std::vector<std::string> GoldenFiles();

// Reads the text form: lines `name: value`, a line `--- payload`, the payload, a line `--- body`, the body. The line
// feed before a section's line and the last one of the file belong to the form, not to the bytes.
Golden ParseGolden(const std::string& text);

// The request body that the contracts of today make of it.
std::string RenderGolden(const Golden& golden);

}  // namespace packhorse::test
