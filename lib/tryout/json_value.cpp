#include "tryout/json_value.h"

#include <algorithm>

#include "base/units.h"
#include "format/json/writer.h"

namespace packhorse::tryout {
namespace {

using document::Node;
using Kind = document::Node::Kind;

constexpr std::size_t kShownValue = 200;

void Append(std::string& out, const Node& node) {
  switch (node.kind) {
    case Kind::kNull:
      out += "null";
      return;
    case Kind::kBoolean:
      out += node.boolean ? "true" : "false";
      return;
    case Kind::kInteger:
    case Kind::kNumber:
      out += node.text;
      return;
    case Kind::kString:
      format::AppendString(out, node.text);
      return;
    case Kind::kArray: {
      char before = '[';
      for (const Node& item : node.items) {
        out += before;
        Append(out, item);
        before = ',';
      }
      out += before == '[' ? "[]" : "]";
      return;
    }
    case Kind::kObject: {
      char before = '{';
      for (const document::Member& member : node.members) {
        out += before;
        format::AppendString(out, member.name);
        out += ':';
        Append(out, member.value);
        before = ',';
      }
      out += before == '{' ? "{}" : "}";
      return;
    }
  }
}

bool IsAnyNumber(const Node& node) { return node.kind == Kind::kInteger || node.kind == Kind::kNumber; }

bool SameNumber(const Node& a, const Node& b) {
  if (a.kind == Kind::kInteger && b.kind == Kind::kInteger) {
    return a.integer == b.integer;
  }
  // Whole numbers beyond 64 bits, and what a double cannot tell apart, by their digits.
  return a.text == b.text || (a.number == b.number && a.text.size() < 16 && b.text.size() < 16);
}

std::string Differ(const std::string& pointer, const Node& expected, const Node& actual) {
  return (pointer.empty() ? "/" : pointer) + ": expected " + Shorten(WriteCompact(expected), kShownValue) + ", is " +
         Shorten(WriteCompact(actual), kShownValue);
}

std::optional<std::string> DifferenceOfLists(const Node& expected, const Node& actual, const std::string& pointer) {
  for (std::size_t i = 0; i < std::min(expected.items.size(), actual.items.size()); ++i) {
    if (auto found = FirstDifference(expected.items[i], actual.items[i], document::Below(pointer, std::to_string(i)))) {
      return found;
    }
  }
  if (expected.items.size() != actual.items.size()) {
    return (pointer.empty() ? "/" : pointer) + ": expected " + std::to_string(expected.items.size()) +
           " elements, are " + std::to_string(actual.items.size());
  }
  return std::nullopt;
}

std::optional<std::string> DifferenceOfObjects(const Node& expected, const Node& actual, const std::string& pointer) {
  for (const document::Member& member : expected.members) {
    const std::string below = document::Below(pointer, member.name);
    const Node* found = actual.Find(member.name);
    if (found == nullptr) {
      return below + ": expected " + Shorten(WriteCompact(member.value), kShownValue) + ", is not there";
    }
    if (auto difference = FirstDifference(member.value, *found, below)) {
      return difference;
    }
  }
  for (const document::Member& member : actual.members) {
    if (expected.Find(member.name) == nullptr) {
      return document::Below(pointer, member.name) + ": not expected, is " +
             Shorten(WriteCompact(member.value), kShownValue);
    }
  }
  return std::nullopt;
}

}  // namespace

std::string WriteCompact(const Node& node) {
  std::string out;
  Append(out, node);
  return out;
}

std::optional<std::string> FirstDifference(const Node& expected, const Node& actual, const std::string& pointer) {
  if (IsAnyNumber(expected) && IsAnyNumber(actual)) {
    return SameNumber(expected, actual) ? std::nullopt : std::optional(Differ(pointer, expected, actual));
  }
  if (expected.kind != actual.kind) {
    return Differ(pointer, expected, actual);
  }
  switch (expected.kind) {
    case Kind::kArray:
      return DifferenceOfLists(expected, actual, pointer);
    case Kind::kObject:
      return DifferenceOfObjects(expected, actual, pointer);
    case Kind::kBoolean:
      return expected.boolean == actual.boolean ? std::nullopt : std::optional(Differ(pointer, expected, actual));
    case Kind::kString:
      return expected.text == actual.text ? std::nullopt : std::optional(Differ(pointer, expected, actual));
    default:
      return std::nullopt;
  }
}

}  // namespace packhorse::tryout
