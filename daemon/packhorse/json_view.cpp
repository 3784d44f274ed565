#include "packhorse/json_view.h"

#include <nlohmann/json.hpp>

#include "packhorse/format.h"

namespace packhorse::cli {
namespace {

using Json = nlohmann::ordered_json;

const Json* Node(const void* node) { return static_cast<const Json*>(node); }

}  // namespace

struct JsonView::Document {
  Json root;
};

JsonView::JsonView(const std::string& text)
    : document_(std::make_shared<const Document>(Document{Json::parse(text, nullptr, false)})),
      node_(document_->root.is_discarded() ? nullptr : &document_->root) {}

JsonView::JsonView(std::shared_ptr<const Document> document, const void* node)
    : document_(std::move(document)), node_(node) {}

JsonView JsonView::operator[](const char* name) const {
  if (node_ == nullptr || !Node(node_)->is_object()) {
    return {document_, nullptr};
  }
  const auto found = Node(node_)->find(name);
  return {document_, found == Node(node_)->end() ? nullptr : &*found};
}

std::vector<JsonView> JsonView::Items() const {
  std::vector<JsonView> items;
  if (node_ != nullptr && Node(node_)->is_array()) {
    for (const Json& item : *Node(node_)) {
      items.push_back(JsonView(document_, &item));
    }
  }
  return items;
}

std::vector<std::pair<std::string, JsonView>> JsonView::Members() const {
  std::vector<std::pair<std::string, JsonView>> members;
  if (node_ != nullptr && Node(node_)->is_object()) {
    for (const auto& [name, value] : Node(node_)->items()) {
      members.emplace_back(name, JsonView(document_, &value));
    }
  }
  return members;
}

bool JsonView::Exists() const { return node_ != nullptr && !Node(node_)->is_null(); }

std::string JsonView::Text() const {
  return node_ != nullptr && Node(node_)->is_string() ? Node(node_)->get<std::string>() : "";
}

std::uint64_t JsonView::Count() const {
  return node_ != nullptr && Node(node_)->is_number_unsigned() ? Node(node_)->get<std::uint64_t>() : 0;
}

std::optional<double> JsonView::Number() const {
  return node_ != nullptr && Node(node_)->is_number() ? std::optional(Node(node_)->get<double>()) : std::nullopt;
}

bool JsonView::Flag() const { return node_ != nullptr && Node(node_)->is_boolean() && Node(node_)->get<bool>(); }

std::optional<WallTime> JsonView::Time() const { return ParseTime(Text()); }

std::string JsonView::Shown() const {
  if (node_ == nullptr) {
    return "";
  }
  const bool text = Node(node_)->is_string();
  return Printable(text ? Text() : Node(node_)->dump(-1, ' ', false, Json::error_handler_t::replace));
}

std::string When(const JsonView& time, WallTime now) {
  const auto value = time.Time();
  return value ? SinceText(*value, now) : "-";
}

}  // namespace packhorse::cli
