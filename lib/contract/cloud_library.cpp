#include "contract/cloud_library.h"

#include <algorithm>
#include <filesystem>
#include <mutex>
#include <system_error>
#include <tuple>
#include <utility>

#include "base/file.h"
#include "base/text.h"
#include "base/units.h"
#include "contract/cloud/compiled_contract.h"
#include "contract/cloud/definition.h"
#include "contract/cloud/read_contract.h"
#include "contract/json_folder.h"
#include "embedded.h"

namespace packhorse::contract {
namespace {

namespace fs = std::filesystem;
using document::Problem;

bool Before(const ContractName& a, const ContractName& b) {
  return std::tie(a.name, a.major, a.minor) < std::tie(b.name, b.major, b.minor);
}

// The name that a file's name stands for; none: it is no name of a contract.
std::optional<ContractName> NameOfFile(const std::string& path) {
  const std::string stem = fs::path(path).stem().string();
  Result<ContractName> name = ParseContractName(stem);
  if (!name || !name->minor) {
    return std::nullopt;
  }
  return *std::move(name);
}

std::string FullName(const ContractName& name) {
  return name.name + "@" + std::to_string(name.major) + "." + std::to_string(name.minor.value_or(0));
}

// One file, with all that is wrong with it. REQUIRES: `text` is the text of `path`.
CloudLibrary::Entry ReadEntry(const std::string& path, const std::string& text, std::vector<Problem>& problems) {
  CloudLibrary::Entry entry;
  entry.file = path;
  entry.text = text;
  const std::optional<ContractName> name = NameOfFile(path);
  if (!name) {
    problems = CloudLibrary::NameProblems(path, nullptr);
    return entry;
  }
  entry.version = *name;
  entry.name = FullName(*name);
  ContractRead read = ReadCloudContract(text, path);
  problems = CloudLibrary::NameProblems(path, read.definition.get());
  problems.insert(problems.end(), std::make_move_iterator(read.problems.begin()),
                  std::make_move_iterator(read.problems.end()));
  entry.definition = std::move(read.definition);
  return entry;
}

}  // namespace

std::vector<Problem> CloudLibrary::NameProblems(const std::string& path, const CloudDefinition* definition) {
  const std::optional<ContractName> name = NameOfFile(path);
  const std::string wanted = definition == nullptr ? "" : definition->contract + ".json";
  std::vector<Problem> problems;
  if (!name) {
    problems.push_back(FileProblem(path, "is not named like a contract",
                                   wanted.empty() ? "NAME@MAJOR.MINOR.json, such as acme-cloud@1.0.json" : wanted));
    return problems;
  }
  const std::string family = name->name + "@" + std::to_string(name->major);
  if (Shipped()->Find(family) != nullptr) {
    problems.push_back(
        FileProblem(path, "the program has a contract " + family + " of its own, which no file takes the place of",
                    "another name"));
  }
  if (definition != nullptr && definition->contract != FullName(*name)) {
    Problem problem = FileProblem(path, "the contract is not called as its file",
                                  document::Quoted(FullName(*name)) + ", or call the file " + wanted);
    problem.path = "/contract";
    problem.value = document::Quoted(definition->contract);
    problems.push_back(std::move(problem));
  }
  return problems;
}

void CloudLibrary::Add(Entry entry) {
  const auto at = std::upper_bound(entries_.begin(), entries_.end(), entry,
                                   [](const Entry& a, const Entry& b) { return Before(a.version, b.version); });
  entries_.insert(at, std::move(entry));
}

void CloudLibrary::KeepFrom(const CloudLibrary* before, const std::string& path, const std::vector<Problem>& problems) {
  const std::optional<ContractName> name = NameOfFile(path);
  RefusedFile refused = Refused(name ? FullName(*name) : path, path, problems);
  const Entry* old = before == nullptr || !name ? nullptr : before->Find(refused.name);
  if (old != nullptr && old->file == path) {
    Entry kept = *old;
    kept.kept = true;
    Add(std::move(kept));
    refused.kept = true;
  }
  broken_files_.push_back(std::move(refused));
}

std::shared_ptr<const CloudLibrary> CloudLibrary::Shipped() {
  static const std::shared_ptr<const CloudLibrary> shipped = [] {
    auto library = std::make_shared<CloudLibrary>();
    for (const embedded::File& file : embedded::Files()) {
      if (!file.path.starts_with("cloud/")) {
        continue;
      }
      const std::string path = "contracts/" + std::string(file.path);
      ContractRead read = ReadCloudContract(file.text, path);
      const std::optional<ContractName> name = NameOfFile(path);
      if (read.definition == nullptr || !name) {
        library->broken_ = read.problems.empty() ? path : document::Describe(read.problems.front());
        continue;
      }
      library->Add({*name, FullName(*name), "", std::string(file.text), std::move(read.definition), false});
    }
    return library;
  }();
  return shipped;
}

std::vector<Problem> CloudLibrary::ReadTables(const std::string& folder, const LookupTables& before) {
  LookupFiles files = LoadLookupTables(folder + "/tables", before, kMaxFolderBytes);
  tables_ = std::move(files.tables);
  broken_files_.insert(broken_files_.begin(), std::make_move_iterator(files.broken.begin()),
                       std::make_move_iterator(files.broken.end()));
  return std::move(files.problems);
}

CloudLibrary::Loaded CloudLibrary::WithTables(const std::string& folder) const {
  auto library = std::make_shared<CloudLibrary>(*this);
  std::erase_if(library->broken_files_, [](const auto& broken) { return broken.name.starts_with(kTablesPrefix); });
  Loaded loaded;
  loaded.problems = library->ReadTables(folder, tables_);
  loaded.library = std::move(library);
  return loaded;
}

bool CloudLibrary::SameTables(const CloudLibrary& other) const {
  return broken_files_ == other.broken_files_ &&
         std::equal(tables_.begin(), tables_.end(), other.tables_.begin(), other.tables_.end(),
                    [](const auto& a, const auto& b) { return a.first == b.first && *a.second == *b.second; });
}

CloudLibrary::Loaded CloudLibrary::Load(const std::string& folder, const CloudLibrary* before) {
  auto library = std::make_shared<CloudLibrary>(*Shipped());
  library->folder_ = folder;
  JsonFiles files = JsonFilesOf(folder, "contracts");
  Loaded loaded;
  loaded.problems = std::move(files.problems);
  std::vector<Problem> of_tables = library->ReadTables(folder, before == nullptr ? LookupTables() : before->tables_);
  loaded.problems.insert(loaded.problems.end(), std::make_move_iterator(of_tables.begin()),
                         std::make_move_iterator(of_tables.end()));
  std::size_t bytes = 0;
  for (const std::string& path : files.paths) {
    std::vector<Problem> problems;
    Entry entry;
    const Result<std::string> text = ReadFile(path, kMaxContractBytes);
    bytes += text ? text->size() : 0;
    if (!text) {
      problems.push_back(FileProblem(path, "cannot be read: " + text.error().message));
    } else if (bytes > kMaxFolderBytes) {
      problems.push_back(FileProblem(path, "the contracts of this folder are too large together",
                                     "at most " + FormatBytes(kMaxFolderBytes)));
    } else {
      entry = ReadEntry(path, *text, problems);
    }
    if (HasError(problems)) {
      library->KeepFrom(before, path, problems);
    } else {
      library->Add(std::move(entry));
    }
    loaded.problems.insert(loaded.problems.end(), std::make_move_iterator(problems.begin()),
                           std::make_move_iterator(problems.end()));
  }
  loaded.library = std::move(library);
  return loaded;
}

const CloudLibrary::Entry* CloudLibrary::Find(std::string_view name) const {
  const Result<ContractName> wanted = ParseContractName(name);
  if (!wanted) {
    return nullptr;
  }
  // The newest minor is the last that matches.
  const auto found = std::find_if(entries_.rbegin(), entries_.rend(), [&](const Entry& entry) {
    return entry.version.name == wanted->name && entry.version.major == wanted->major &&
           (!wanted->minor || entry.version.minor == wanted->minor);
  });
  return found == entries_.rend() ? nullptr : &*found;
}

Result<std::shared_ptr<const CloudContract>> CloudLibrary::Make(std::string_view name,
                                                                const SettingValues& settings) const {
  if (!broken_.empty()) {
    return Error{ErrorCode::kCorrupt, broken_};
  }
  RETURN_IF_ERROR(ParseContractName(name));
  const Entry* entry = Find(name);
  if (entry == nullptr) {
    return Error{ErrorCode::kNotFound, "no cloud contract \"" + Shorten(name, 80) + "\" in the program" +
                                           (folder_.empty() ? "" : " or in " + folder_) +
                                           "; there are: " + Join(Names())};
  }
  return MakeCloudContract(entry->definition, settings, tables_);
}

std::vector<std::string> CloudLibrary::Names() const {
  std::vector<std::string> names;
  for (const Entry& entry : entries_) {
    names.push_back(entry.name);
  }
  return names;
}

bool CloudLibrary::Usable(std::string_view name, const SettingValues& settings) const {
  const Entry* entry = Find(name);
  return entry != nullptr &&
         std::none_of(entry->definition->settings.begin(), entry->definition->settings.end(),
                      [&](const DefinedSetting& setting) {
                        const auto given = settings.find(setting.rule.name);
                        const auto table = given == settings.end() ? tables_.end() : tables_.find(given->second);
                        return setting.rule.table && table != tables_.end() && !table->second->refused.empty();
                      });
}

bool CloudLibrary::SameIn(const CloudLibrary& other, std::string_view name, const SettingValues& settings) const {
  const Entry* a = Find(name);
  const Entry* b = other.Find(name);
  if (a == b || a == nullptr || b == nullptr) {
    return a == b;
  }
  const auto same_table = [&](const DefinedSetting& setting) {
    const auto given = settings.find(setting.rule.name);
    if (!setting.rule.table || given == settings.end()) {
      return true;
    }
    const auto here = tables_.find(given->second);
    const auto there = other.tables_.find(given->second);
    const bool known = here != tables_.end() && there != other.tables_.end();
    return known ? *here->second == *there->second : (here == tables_.end()) == (there == other.tables_.end());
  };
  return a->name == b->name && a->text == b->text &&
         std::all_of(a->definition->settings.begin(), a->definition->settings.end(), same_table);
}

namespace {

std::mutex library_lock;
std::shared_ptr<const CloudLibrary> library_in_force;

}  // namespace

std::shared_ptr<const CloudLibrary> CloudContracts() {
  const std::lock_guard lock(library_lock);
  if (library_in_force == nullptr) {
    library_in_force = CloudLibrary::Shipped();
  }
  return library_in_force;
}

void UseCloudContracts(std::shared_ptr<const CloudLibrary> library) {
  const std::lock_guard lock(library_lock);
  library_in_force = std::move(library);
}

}  // namespace packhorse::contract
