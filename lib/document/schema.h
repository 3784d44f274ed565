#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "document/document.h"

namespace packhorse::document {

// A place in a schema of contracts/schema/. A keyword beside "$ref" comes before the same keyword of what it
// refers to (JSON Schema 2020-12 core, section 8.2.3.1, allows them side by side). Views into a Node that outlives it.
class Schema {
 public:
  Schema(const Node& root, const Node& site) : root_(&root), site_(&site) {}

  // The value of a keyword, or null.
  const Node* Get(std::string_view keyword) const;
  // The text of a keyword, or empty.
  std::string Text(std::string_view keyword) const;
  bool Flag(std::string_view keyword) const;
  // The texts of a keyword that is an array, or one text.
  std::vector<std::string> Texts(std::string_view keyword) const;
  bool HasType(std::string_view type) const;

  Schema At(const Node& site) const { return {*root_, site}; }
  // Schema of a member of an object: of its property, else of additionalProperties. None: the key is unknown.
  std::optional<Schema> Member(std::string_view key) const;
  std::vector<std::string> PropertyNames() const;

 private:
  const Node* root_;
  const Node* site_;
};

// A schema compiled into this binary: "config.schema.json". Parsed at each call: a configuration is read rarely, memory
// is kept always.
Document EmbeddedSchema(std::string_view name);

}  // namespace packhorse::document
