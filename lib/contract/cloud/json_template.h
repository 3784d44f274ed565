#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "contract/cloud/placeholder.h"
#include "document/document.h"
#include "document/problems.h"

namespace packhorse::contract {

struct TemplateMember;

// A JSON value with placeholders. What has none is kept as the JSON it becomes.
struct Template {
  enum class Kind : std::uint8_t { kLiteral, kText, kObject, kList };
  Kind kind = Kind::kLiteral;
  std::string literal = "null";
  Text text;
  std::vector<TemplateMember> members;
  std::vector<Template> items;
};

struct TemplateMember {
  std::string name;    // of a key without placeholders
  std::string prefix;  // `"name":`; empty: `key` has placeholders, or `merged`
  Text key;
  bool merged = false;  // "*": the members of a map, which `value` names
  Template value;
};

// A template as it is written in the file. Mistakes are problems at their places.
Template ParseTemplate(const document::Node& node, Where where, Declared& declared, document::Problems& problems);

}  // namespace packhorse::contract
