#pragma once

#include <string>
#include <vector>

#include "document/problems.h"

namespace packhorse::contract {

// Files of a folder with contracts or tables.

struct JsonFiles {
  std::vector<std::string> paths;  // by name, at most kMaxContractFiles
  std::vector<document::Problem> problems;
};
// The files *.json in the folder itself; none where there is no such folder. `what` they are, for messages.
JsonFiles JsonFilesOf(const std::string& folder, const std::string& what);

// A problem of a file as a whole.
document::Problem FileProblem(const std::string& file, std::string message, std::string allowed = "");

bool HasError(const std::vector<document::Problem>& problems);

}  // namespace packhorse::contract
