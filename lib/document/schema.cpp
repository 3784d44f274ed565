#include "document/schema.h"

#include <algorithm>

#include "embedded.h"

namespace packhorse::document {
namespace {

// Resolves "#/$defs/NAME", the only form of reference that the schema uses.
const Node* Resolve(const Node& root, std::string_view reference) {
  constexpr std::string_view kPrefix = "#/$defs/";
  const Node* definitions = root.Find("$defs");
  if (definitions == nullptr || reference.substr(0, kPrefix.size()) != kPrefix) {
    return nullptr;
  }
  return definitions->Find(reference.substr(kPrefix.size()));
}

}  // namespace

const Node* Schema::Get(std::string_view keyword) const {
  for (const Node* node = site_; node != nullptr;) {
    if (const Node* value = node->Find(keyword)) {
      return value;
    }
    const Node* reference = node->Find("$ref");
    node = reference == nullptr ? nullptr : Resolve(*root_, reference->text);
  }
  return nullptr;
}

std::string Schema::Text(std::string_view keyword) const {
  const Node* value = Get(keyword);
  return value == nullptr ? "" : value->text;
}

bool Schema::Flag(std::string_view keyword) const {
  const Node* value = Get(keyword);
  return value != nullptr && value->boolean;
}

std::vector<std::string> Schema::Texts(std::string_view keyword) const {
  std::vector<std::string> texts;
  if (const Node* value = Get(keyword)) {
    if (value->kind == Node::Kind::kString) {
      texts.push_back(value->text);
    }
    for (const Node& item : value->items) {
      texts.push_back(item.text);
    }
  }
  return texts;
}

bool Schema::HasType(std::string_view type) const {
  const std::vector<std::string> types = Texts("type");
  return std::find(types.begin(), types.end(), type) != types.end();
}

std::optional<Schema> Schema::Member(std::string_view key) const {
  const Node* properties = Get("properties");
  if (const Node* property = properties == nullptr ? nullptr : properties->Find(key)) {
    return At(*property);
  }
  const Node* additional = Get("additionalProperties");
  if (additional != nullptr && additional->kind == Node::Kind::kObject) {
    return At(*additional);
  }
  return std::nullopt;
}

std::vector<std::string> Schema::PropertyNames() const {
  std::vector<std::string> names;
  if (const Node* properties = Get("properties")) {
    for (const document::Member& member : properties->members) {
      names.push_back(member.name);
    }
  }
  return names;
}

Document EmbeddedSchema(std::string_view name) {
  for (const embedded::File& file : embedded::Files()) {
    if (file.path == "schema/" + std::string(name)) {
      return ParseDocument(file.text);
    }
  }
  return Document{Node{}, SyntaxProblem{"this binary was built without " + std::string(name)}};
}

}  // namespace packhorse::document
