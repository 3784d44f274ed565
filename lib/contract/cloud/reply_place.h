#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "contract/cloud/response_rules.h"
#include "document/document.h"
#include "document/problems.h"

namespace packhorse::contract {

// The words of places and of what is wanted there, as replies are read with them (contracts.md, `when`).

// 5 for "5xx", 0 for what is no class of statuses.
int ClassOf(std::string_view text);
// A number in one writing: 3.0, 3e0 and 3 are "3". What is no whole number stays as it is.
std::string NumberText(std::string_view written);
// The reference tokens of a JSON pointer (RFC 6901); none: it is no pointer.
std::optional<std::vector<std::string>> PointerTokens(std::string_view pointer);

// Reads them from a document and reports what is wrong. REQUIRES: `problems` outlives it.
class PlaceReader {
 public:
  explicit PlaceReader(document::Problems& problems) : problems_(problems) {}

  // "/pointer", "" (all of it), "doc:/pointer", "header:Name", "text".
  std::optional<Place> ReadPlace(const document::Node& node);
  // Members of an object: the place is the key. At most 32.
  std::vector<Condition> ReadConditions(const document::Node& object);
  // A pointer with "*" for each element of a list.
  std::vector<std::string> ReadEach(const document::Node& node);

 private:
  std::optional<Place> ParsePlace(std::string_view text, const document::Node& at);
  std::optional<std::vector<std::string>> ParsePath(std::string_view pointer, const document::Node& at);
  std::vector<Wanted> ReadWanted(const document::Node& node);
  void ReadOneWanted(const document::Node& node, std::vector<Wanted>& wanted);
  void ReadWantedText(const document::Node& node, std::vector<Wanted>& wanted);

  document::Problems& problems_;
};

}  // namespace packhorse::contract
