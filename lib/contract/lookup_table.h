#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "contract/json_folder.h"
#include "document/document.h"
#include "document/problems.h"

namespace packhorse::contract {

// Maps of keys to values that `{NAME|lookup:TABLE}` asks, contracts.md "Settings": a JSON object of texts and numbers.
// The member "*" is the value of every key that is not named. Plain values, immutable once read; any thread.

inline constexpr std::string_view kTablesPrefix = "tables/";  // of the name of a broken file
inline constexpr std::size_t kMaxLookupEntries = 10'000;      // of one table
inline constexpr std::size_t kMaxLookupKeyBytes = 256;
inline constexpr std::size_t kMaxLookupValueBytes = 1'024;

struct LookupValue {
  std::string text;  // a number as it is written
  bool number = false;

  bool operator==(const LookupValue&) const = default;
};

struct LookupTable {
  using Entries = std::map<std::string, LookupValue, std::less<>>;
  Entries entries;
  std::string file;      // empty: it stands in a contract or a setting
  bool exposed = false;  // every user of the machine may read or write the file
  std::string refused;   // the first mistake of a file that has any: nobody may use the table; else empty

  // The entry of this key, or that of "*"; null: there is none.
  const Entries::value_type* Find(std::string_view key) const;
  bool operator==(const LookupTable&) const = default;
};
using LookupTables = std::map<std::string, std::shared_ptr<const LookupTable>, std::less<>>;

// The table that `node` is. Mistakes are problems at their places; values are not shown, for they may be secret.
LookupTable ReadLookupTable(const document::Node& node, document::Problems& problems);
// The same for a text; with errors among the problems the table is not to be used.
std::pair<LookupTable, std::vector<document::Problem>> ReadLookupTable(std::string_view text, const std::string& file);

// The tables of a folder with files NAME.json, which need not be there, as it lies beside contracts.
struct LookupFiles {
  LookupTables tables;  // by NAME; that of a broken file is what `before` has, else a refused one
  std::vector<document::Problem> problems;
  std::vector<RefusedFile> broken;
};
// Reads files: at most `max_bytes` in all.
LookupFiles LoadLookupTables(const std::string& folder, const LookupTables& before, std::size_t max_bytes);

}  // namespace packhorse::contract
