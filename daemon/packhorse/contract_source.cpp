#include "packhorse/contract_source.h"

#include <algorithm>
#include <utility>

#include "base/file.h"
#include "base/text.h"
#include "common/contract_folder.h"
#include "contract/cloud/compiled_contract.h"
#include "contract/cloud/definition.h"
#include "contract/cloud/read_contract.h"
#include "contract/json_folder.h"
#include "packhorse/format.h"

namespace packhorse::cli {
namespace {

bool IsFile(const std::string& word) { return word.find('/') != std::string::npos || word.ends_with(".json"); }

// A name without a version is the newest of all.
const contract::CloudLibrary::Entry* FindEntry(const contract::CloudLibrary& library, const std::string& name) {
  if (name.find('@') != std::string::npos) {
    return library.Find(name);
  }
  const auto found = std::find_if(library.entries().rbegin(), library.entries().rend(),
                                  [&](const auto& entry) { return entry.version.name == name; });
  return found == library.entries().rend() ? nullptr : &*found;
}

Result<ContractSource> ReadSource(const std::string& file) {
  Result<std::string> text = ReadFile(file, contract::kMaxContractBytes);
  RETURN_IF_ERROR(text);
  contract::ContractRead read = contract::ReadCloudContract(*text, file);
  ContractSource source;
  source.file = file;
  source.text = *std::move(text);
  source.definition = std::move(read.definition);
  source.problems = std::move(read.problems);
  source.tables = contract::LoadLookupTables(FolderOf(file) + "/tables", {}, contract::kMaxFolderBytes).tables;
  source.name = source.definition == nullptr ? "" : source.definition->contract;
  return source;
}

}  // namespace

contract::CloudLibrary::Loaded AllContracts(const Globals& globals) {
  return contract::CloudLibrary::Load(daemon::ContractFolderOf(ConfigFile(globals)));
}

Result<ContractSource> FindContract(const Globals& globals, const std::string& file_or_name) {
  if (IsFile(file_or_name)) {
    return ReadSource(file_or_name);
  }
  const contract::CloudLibrary::Loaded all = AllContracts(globals);
  if (const contract::CloudLibrary::Entry* entry = FindEntry(*all.library, file_or_name)) {
    return ContractSource{entry->name, entry->file, entry->text, entry->definition, {}, all.library->tables()};
  }
  const std::string file = daemon::ContractFolderOf(ConfigFile(globals)) + "/" + file_or_name + ".json";
  if (file_or_name.find('@') != std::string::npos && Exists(file)) {  // broken, or else it were among them
    return ReadSource(file);
  }
  return Error{ErrorCode::kNotFound, "there is no cloud contract '" + Printable(file_or_name) +
                                         "'; there are: " + Join(all.library->Names())};
}

std::vector<contract::SettingRule> SettingsOf(const contract::CloudDefinition& definition) {
  std::vector<contract::SettingRule> rules;
  for (const contract::DefinedSetting& setting : definition.settings) {
    rules.push_back(setting.rule);
  }
  return rules;
}

Result<std::shared_ptr<const contract::CloudContract>> MakeWithExamples(const ContractSource& source) {
  contract::SettingValues values;
  for (const contract::SettingRule& rule : SettingsOf(*source.definition)) {
    if (rule.required && (rule.table || !rule.secret)) {
      std::string example = rule.name;
      std::transform(example.begin(), example.end(), example.begin(),
                     [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
      values[rule.name] = rule.table ? "{\"*\":\"" + example + "\"}" : example;
    }
  }
  return contract::MakeCloudContract(source.definition, values, source.tables);
}

bool PrintProblems(const std::vector<document::Problem>& problems) {
  for (const document::Problem& problem : problems) {
    PrintOut(Printable(document::Describe(problem)));
  }
  return contract::HasError(problems);
}

}  // namespace packhorse::cli
