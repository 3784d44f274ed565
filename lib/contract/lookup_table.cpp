#include "contract/lookup_table.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <tuple>

#include "base/file.h"
#include "base/text.h"
#include "base/units.h"
#include "contract/cloud_library.h"
#include "contract/json_folder.h"

namespace packhorse::contract {
namespace {

using document::Node;
using document::Problem;

constexpr std::string_view kOtherKeys = "*";

bool IsTableName(std::string_view name) {
  constexpr std::size_t kLongest = 64;
  return !name.empty() && name.size() <= kLongest &&
         std::all_of(name.begin(), name.end(), [](char c) { return IsAlnum(c) || c == '_' || c == '-' || c == '.'; });
}

void ReadLookupEntry(const document::Member& member, const std::string& pointer, LookupTable& table,
                     document::Problems& problems) {
  Node at = member.value;
  at.pointer = document::Below(pointer, member.name);
  const auto wrong = [&](std::string message, std::string allowed) {
    problems.Error(at, std::move(message), {.allowed = std::move(allowed), .show_value = false});
  };
  const bool number = at.kind == Node::Kind::kInteger || at.kind == Node::Kind::kNumber;
  if (member.name.empty() || member.name.size() > kMaxLookupKeyBytes) {
    wrong(member.name.empty() ? "a key is empty" : "a key is too long",
          "1 to " + std::to_string(kMaxLookupKeyBytes) + " bytes");
  } else if (member.duplicate) {
    wrong("the key " + document::Quoted(member.name) + " is written twice", "each key once");
  } else if (!number && at.kind != Node::Kind::kString) {
    wrong("is " + std::string(document::KindName(at.kind)), "a text or a number");
  } else if (at.text.empty() || at.text.size() > kMaxLookupValueBytes) {
    wrong(at.text.empty() ? "is empty" : "is too long", "1 to " + std::to_string(kMaxLookupValueBytes) + " bytes");
  } else if (std::any_of(at.text.begin(), at.text.end(), IsControl)) {
    wrong("has a control character", "a text of one line");
  } else {
    table.entries.emplace(member.name, LookupValue{at.text, number});
  }
}

// Of whoever is neither the owner nor of the group.
bool IsExposed(const std::string& path) {
  using Perms = std::filesystem::perms;
  std::error_code failed;
  const Perms perms = std::filesystem::status(path, failed).permissions();
  return !failed && (perms & Perms::others_all) != Perms::none;
}

}  // namespace

const LookupTable::Entries::value_type* LookupTable::Find(std::string_view key) const {
  auto found = entries.find(key);
  if (found == entries.end()) {
    found = entries.find(kOtherKeys);
  }
  return found == entries.end() ? nullptr : &*found;
}

LookupTable ReadLookupTable(const Node& node, document::Problems& problems) {
  LookupTable table;
  if (node.kind != Node::Kind::kObject) {
    problems.Error(node, "is " + std::string(document::KindName(node.kind)),
                   {.allowed = "an object of keys and their values", .show_value = false});
    return table;
  }
  if (node.members.size() > kMaxLookupEntries) {
    problems.Error(node, "has " + std::to_string(node.members.size()) + " keys",
                   {.allowed = "at most " + std::to_string(kMaxLookupEntries), .show_value = false});
    return table;
  }
  for (const document::Member& member : node.members) {
    ReadLookupEntry(member, node.pointer, table, problems);
  }
  return table;
}

std::pair<LookupTable, std::vector<Problem>> ReadLookupTable(std::string_view text, const std::string& file) {
  document::Problems problems(file);
  const document::Document parsed = document::ParseDocument(text);
  LookupTable table;
  if (parsed.problem) {
    problems.File(parsed.problem->message, parsed.problem->line, "a JSON object of keys and their values");
  } else {
    table = ReadLookupTable(parsed.root, problems);
  }
  table.file = file;
  return {std::move(table), problems.Take()};
}

LookupFiles LoadLookupTables(const std::string& folder, const LookupTables& before, std::size_t max_bytes) {
  JsonFiles files = JsonFilesOf(folder, "tables");
  LookupFiles loaded;
  loaded.problems = std::move(files.problems);
  std::size_t bytes = 0;
  for (const std::string& path : files.paths) {
    const std::string name = std::filesystem::path(path).stem().string();
    std::vector<Problem> problems;
    LookupTable table;
    const Result<std::string> text = ReadFile(path, kMaxContractBytes);
    bytes += text ? text->size() : 0;
    if (!text) {
      problems.push_back(FileProblem(path, "cannot be read: " + text.error().message));
    } else if (bytes > max_bytes) {
      problems.push_back(
          FileProblem(path, "the tables of this folder are too large together", "at most " + FormatBytes(max_bytes)));
    } else if (!IsTableName(name)) {
      problems.push_back(
          FileProblem(path, "is not named like a table", "letters, digits, '_', '-' and '.', at most 64"));
    } else {
      std::tie(table, problems) = ReadLookupTable(*text, path);
      table.exposed = IsExposed(path);
    }
    if (!HasError(problems)) {
      loaded.tables.emplace(name, std::make_shared<const LookupTable>(std::move(table)));
    } else {
      RefusedFile refused = Refused(std::string(kTablesPrefix) + name, path, problems);
      const auto old = before.find(name);
      refused.kept = old != before.end() && old->second->refused.empty();
      if (refused.kept) {
        loaded.tables.insert(*old);
      } else {
        LookupTable unusable;
        unusable.file = path;
        unusable.refused = refused.first;
        loaded.tables.emplace(name, std::make_shared<const LookupTable>(std::move(unusable)));
      }
      loaded.broken.push_back(std::move(refused));
    }
    loaded.problems.insert(loaded.problems.end(), std::make_move_iterator(problems.begin()),
                           std::make_move_iterator(problems.end()));
  }
  return loaded;
}

}  // namespace packhorse::contract
