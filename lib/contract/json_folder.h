#pragma once

#include <cstddef>
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

// A file that was refused for its mistakes.
struct RefusedFile {
  std::string name;  // of the contract, or its path where it has none; of a table "tables/NAME"
  std::string file;
  std::string first;         // mistake
  std::size_t mistakes = 0;  // errors in all
  bool kept = false;         // what it said before is in force

  bool operator==(const RefusedFile&) const = default;
};
// REQUIRES: HasError(problems).
RefusedFile Refused(std::string name, const std::string& file, const std::vector<document::Problem>& problems);

bool HasError(const std::vector<document::Problem>& problems);

}  // namespace packhorse::contract
