#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "contract/cloud_library.h"
#include "document/problems.h"
#include "packhorse/globals.h"

namespace packhorse::cli {

// Cloud contracts that a command line names: a file, or a name of the program or of the folder beside the
// configuration.

struct ContractSource {
  std::string name;  // name@major.minor
  std::string file;  // empty: of the program
  std::string text;
  std::shared_ptr<const contract::CloudDefinition> definition;  // null: it is broken
  std::vector<document::Problem> problems;
  contract::LookupTables tables;  // those beside it
};

// A word with a '/' or that ends in .json is a file; a name without a version is the newest version. kNotFound lists
// the names that exist.
Result<ContractSource> FindContract(const Globals& globals, const std::string& file_or_name);
// All that are known, with what is wrong with the files.
contract::CloudLibrary::Loaded AllContracts(const Globals& globals);

std::vector<contract::SettingRule> SettingsOf(const contract::CloudDefinition& definition);
// The contract with a value for each required setting, where none is known: its name in capitals.
Result<std::shared_ptr<const contract::CloudContract>> MakeWithExamples(const ContractSource& source);

// Prints the problems, one a line. Whether there are errors among them.
bool PrintProblems(const std::vector<document::Problem>& problems);

}  // namespace packhorse::cli
