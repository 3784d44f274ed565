#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "contract/cloud/definition.h"
#include "contract/cloud/renderer.h"

namespace packhorse::contract {

// Writes the items of one record. Views into the definition and the settings; any thread.
class RecordWriter {
 public:
  // `received`: the time of a record is when it was received.
  RecordWriter(const CloudDefinition& definition, const FilledSettings& settings, bool received)
      : d_(definition), settings_(settings), received_(received) {}

  RenderedRecord Write(const CanonicalRecord& record) const;

 private:
  struct ItemFault {
    const char* reason = nullptr;
    std::string detail;
  };

  bool AppendItem(Renderer& renderer, Scope& scope, std::string& out, std::string& series) const;
  // Appends to `text`, and says in `out` where it ends there.
  std::optional<ItemFault> AddItem(Scope scope, std::string& text, RenderedRecord& out,
                                   std::set<std::string>& series) const;
  bool AddGroup(Renderer& renderer, Scope& scope, RenderedRecord& out) const;
  void AddItems(const CanonicalRecord& record, RenderedRecord& out) const;
  std::optional<std::string> PartOf(const CanonicalRecord& record, std::string& fault) const;
  // Why no path that takes something of the record can be made of its `part`; empty: there is nothing against it.
  std::string FaultOfPaths(std::string_view part) const;
  void Condemn(RenderedRecord& out, const char* reason, std::string detail) const;

  const CloudDefinition& d_;
  const FilledSettings& settings_;
  bool received_;
};

// How values inside the texts of a body are escaped.
Renderer::Append EscapeOf(const CloudDefinition& definition);

// A group in RenderedRecord::groups: its JSON with this mark for the items, then this end, then what it is grouped by.
inline constexpr char kGroupMark = 'g';
inline constexpr char kGroupEnd = '\x03';  // stands in no JSON

}  // namespace packhorse::contract
