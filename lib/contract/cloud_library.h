#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "contract/cloud_contract.h"
#include "contract/contract_files.h"
#include "contract/json_folder.h"
#include "contract/lookup_table.h"
#include "document/problems.h"

namespace packhorse::contract {

struct CloudDefinition;

inline constexpr std::size_t kMaxContractFiles = 1'000;  // of a folder
inline constexpr std::size_t kMaxContractBytes = 1U << 20U;
inline constexpr std::size_t kMaxFolderBytes = 32U << 20U;

// Cloud contracts by name: those of the program, and those of a folder with files of somebody's own. A file
// NAME@M.m.json holds the contract of this name; the names of the program cannot be used again. Immutable; any thread.
class CloudLibrary {
 public:
  struct Entry {
    ContractName version;
    std::string name;  // name@major.minor
    std::string file;  // empty: of the program
    std::string text;  // of the file
    std::shared_ptr<const CloudDefinition> definition;
    bool kept = false;  // its file is broken now, and this is what it said before
  };
  struct Loaded;

  // The contracts of the program alone.
  static std::shared_ptr<const CloudLibrary> Shipped();
  // These and the files of `folder`, which need not be there. Reads files. Every mistake of every file is among the
  // problems. The contract or table of a broken file stays as `before` has it, where it does.
  static Loaded Load(const std::string& folder, const CloudLibrary* before = nullptr);

  // Why a file of this name, with this contract in it, is not taken from a folder; empty: it is. Null: it is not read,
  // or holds none.
  static std::vector<document::Problem> NameProblems(const std::string& path, const CloudDefinition* definition);

  // The same contracts with the tables of `folder` as they are now. Reads files; a broken one leaves its table as it
  // is.
  Loaded WithTables(const std::string& folder) const;

  // "name@major" is the newest minor. Null: there is none.
  const Entry* Find(std::string_view name) const;
  // kNotFound lists what exists, and where it was looked for; kInvalidArgument names the settings that are missing or
  // unknown.
  Result<std::shared_ptr<const CloudContract>> Make(std::string_view name, const SettingValues& settings) const;
  // Oldest version first.
  const std::vector<Entry>& entries() const { return entries_; }
  std::vector<std::string> Names() const;
  // Whether there is a contract of this name, and no table that these settings name is of a refused file.
  bool Usable(std::string_view name, const SettingValues& settings) const;
  // Files tables/NAME.json of the folder, by NAME; refused ones too, where nothing of them was read before.
  const LookupTables& tables() const { return tables_; }
  // The files that have errors.
  const std::vector<RefusedFile>& broken() const { return broken_files_; }
  // Whether both have the same tables, and the same mistakes.
  bool SameTables(const CloudLibrary& other) const;
  // Whether both mean the same by `name`, with the tables that these settings name.
  bool SameIn(const CloudLibrary& other, std::string_view name, const SettingValues& settings = {}) const;

 private:
  void Add(Entry entry);
  // Of a folder; what is broken as `before` has it. Their problems.
  std::vector<document::Problem> ReadTables(const std::string& folder, const LookupTables& before);
  // A broken file: notes it, and keeps what `before` has of it.
  void KeepFrom(const CloudLibrary* before, const std::string& path, const std::vector<document::Problem>& problems);

  std::string folder_;          // where its files lie; empty: there are those of the program alone
  std::vector<Entry> entries_;  // sorted by version
  LookupTables tables_;
  std::vector<RefusedFile> broken_files_;
  std::string broken_;  // why a contract of the program cannot be used; empty: all can
};

struct CloudLibrary::Loaded {
  std::shared_ptr<const CloudLibrary> library;
  std::vector<document::Problem> problems;
};

// The library that FindCloudContract() asks: at first that of the program. Any thread.
std::shared_ptr<const CloudLibrary> CloudContracts();
void UseCloudContracts(std::shared_ptr<const CloudLibrary> library);

}  // namespace packhorse::contract
