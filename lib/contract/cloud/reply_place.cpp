#include "contract/cloud/reply_place.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/text.h"

namespace packhorse::contract {
namespace {

using document::Node;

constexpr std::size_t kMaxConditions = 32;
constexpr std::size_t kMaxWanted = 200;
constexpr std::size_t kMaxTokens = 32;
constexpr std::string_view kPlaces =
    R"("/pointer" (a JSON pointer), "" (all of it), "doc:/pointer" (from the outermost value), "header:Name" or "text")";

}  // namespace

int ClassOf(std::string_view text) {
  return text.size() == 3 && text[0] >= '1' && text[0] <= '9' && text.substr(1) == "xx" ? text[0] - '0' : 0;
}

std::string NumberText(std::string_view written) {
  constexpr double kMostExact = 9007199254740992.0;  // 2^53
  const bool fraction = written.find_first_of(".eE") != std::string_view::npos;
  double number = 0;
  if (fraction && ReadNumber(written, number) && number >= -kMostExact && number <= kMostExact) {
    const auto whole = static_cast<std::int64_t>(number);
    const double back = static_cast<double>(whole);
    if (!(back < number) && !(back > number)) {
      return std::to_string(whole);
    }
  }
  return written == "-0" ? "0" : std::string(written);
}

std::optional<std::vector<std::string>> PointerTokens(std::string_view pointer) {
  std::vector<std::string> tokens;
  while (!pointer.empty()) {
    if (pointer.front() != '/') {
      return std::nullopt;
    }
    const std::size_t end = std::min(pointer.find('/', 1), pointer.size());
    std::string token;
    for (std::size_t at = 1; at < end; ++at) {
      if (pointer[at] != '~') {
        token += pointer[at];
        continue;
      }
      ++at;  // RFC 6901 section 4: ~0 is ~, ~1 is /
      if (at >= end || (pointer[at] != '0' && pointer[at] != '1')) {
        return std::nullopt;
      }
      token += pointer[at] == '0' ? '~' : '/';
    }
    tokens.push_back(std::move(token));
    pointer.remove_prefix(end);
  }
  return tokens;
}

std::optional<std::vector<std::string>> PlaceReader::ParsePath(std::string_view pointer, const Node& at) {
  auto tokens = PointerTokens(pointer);
  if (!tokens) {
    problems_.Error(at, document::Quoted(pointer) + " is no JSON pointer", {.allowed = "~ is written ~0, / is ~1"});
    return std::nullopt;
  }
  if (tokens->size() > kMaxTokens) {
    problems_.Error(at, "is deeper than a reply may be", {.allowed = std::to_string(kMaxTokens) + " levels"});
    return std::nullopt;
  }
  return tokens;
}

std::optional<Place> PlaceReader::ParsePlace(std::string_view text, const Node& at) {
  constexpr std::string_view kHeader = "header:";
  constexpr std::string_view kDocument = "doc:";
  Place place;
  if (text == "text") {
    place.of = Place::Of::kText;
    return place;
  }
  if (text.substr(0, kHeader.size()) == kHeader) {
    const std::string_view name = text.substr(kHeader.size());
    if (!IsToken(name)) {
      problems_.Error(at, document::Quoted(name) + " is no name of a header", {.allowed = "header:Name"});
      return std::nullopt;
    }
    place.of = Place::Of::kHeader;
    place.path.push_back(Lower(name));
    return place;
  }
  if (text.substr(0, kDocument.size()) == kDocument) {
    text.remove_prefix(kDocument.size());
    place.of = Place::Of::kDocument;
  }
  if (!text.empty() && text.front() != '/') {
    problems_.Error(at, document::Quoted(text) + " is no place in a reply",
                    {.allowed = std::string(kPlaces), .suggestion = "did you mean \"/" + std::string(text) + "\"?"});
    return std::nullopt;
  }
  auto tokens = ParsePath(text, at);
  if (!tokens) {
    return std::nullopt;
  }
  if (std::find(tokens->begin(), tokens->end(), "*") != tokens->end()) {
    problems_.Error(at, "names many values where one is wanted", {.allowed = "* stands in \"each\" only"});
    return std::nullopt;
  }
  place.path = std::move(*tokens);
  return place;
}

std::optional<Place> PlaceReader::ReadPlace(const Node& node) {
  if (node.kind != Node::Kind::kString) {
    problems_.Error(node, "is no place in a reply", {.allowed = std::string(kPlaces)});
    return std::nullopt;
  }
  return ParsePlace(node.text, node);
}

std::vector<std::string> PlaceReader::ReadEach(const Node& node) {
  const std::string allowed = "a JSON pointer with * for each element, such as \"/results/*\"";
  if (node.kind != Node::Kind::kString || node.text.empty() || node.text.front() != '/') {
    problems_.Error(node, "is no place of a list", {.allowed = allowed});
    return {};
  }
  auto tokens = ParsePath(node.text, node);
  if (!tokens) {
    return {};
  }
  if (std::find(tokens->begin(), tokens->end(), "*") == tokens->end()) {
    problems_.Error(node, "has no * that stands for each element",
                    {.allowed = allowed, .suggestion = "did you mean \"" + node.text + "/*\"?"});
    return {};
  }
  return *std::move(tokens);
}

std::vector<Condition> PlaceReader::ReadConditions(const Node& object) {
  std::vector<Condition> conditions;
  if (object.members.size() > kMaxConditions) {
    problems_.Error(object, "has too many conditions", {.allowed = std::to_string(kMaxConditions)});
    return conditions;
  }
  for (const document::Member& member : object.members) {
    if (member.name == "note") {
      continue;
    }
    if (member.duplicate) {
      problems_.Error(member.value, document::Quoted(member.name) + " stands here twice");
    }
    const auto place = ParsePlace(member.name, member.value);
    std::vector<Wanted> wanted = ReadWanted(member.value);
    if (place) {
      conditions.push_back(Condition{*place, std::move(wanted)});
    }
  }
  return conditions;
}

std::vector<Wanted> PlaceReader::ReadWanted(const Node& node) {
  std::vector<Wanted> wanted;
  if (node.kind != Node::Kind::kArray) {
    ReadOneWanted(node, wanted);
    return wanted;
  }
  if (node.items.empty() || node.items.size() > kMaxWanted) {
    problems_.Error(node, node.items.empty() ? "is empty, and never fits" : "has too many values",
                    {.allowed = "1 to " + std::to_string(kMaxWanted) + " values"});
  }
  for (const Node& each : node.items) {
    ReadOneWanted(each, wanted);
  }
  return wanted;
}

void PlaceReader::ReadOneWanted(const Node& node, std::vector<Wanted>& wanted) {
  switch (node.kind) {
    case Node::Kind::kNull:
      wanted.push_back({Wanted::Kind::kAbsent, "", 0});
      break;
    case Node::Kind::kBoolean:
      wanted.push_back({Wanted::Kind::kLiteral, node.boolean ? "true" : "false", 0});
      break;
    case Node::Kind::kInteger:
    case Node::Kind::kNumber:
      wanted.push_back({Wanted::Kind::kLiteral, NumberText(node.text), 0});
      break;
    case Node::Kind::kString:
      ReadWantedText(node, wanted);
      break;
    case Node::Kind::kArray:
    case Node::Kind::kObject:
      problems_.Error(node, "is no value that can be compared",
                      {.allowed = "a text, a number, true, false, null (absent), or a list of them"});
      break;
  }
}

void PlaceReader::ReadWantedText(const Node& node, std::vector<Wanted>& wanted) {
  std::string_view text = node.text;
  if (text == "*") {
    wanted.push_back({Wanted::Kind::kPresent, "", 0});
    return;
  }
  if (const int hundreds = ClassOf(text); hundreds != 0) {
    wanted.push_back({Wanted::Kind::kClass, "", hundreds});
    return;
  }
  const bool leading = text.starts_with('*');
  const bool trailing = text.ends_with('*');
  text.remove_prefix(leading ? 1 : 0);
  text.remove_suffix(trailing && !text.empty() ? 1 : 0);
  if (const std::size_t star = text.find('*'); star != std::string_view::npos || (leading && text.empty())) {
    const std::string_view longer =
        star == std::string_view::npos || star * 2 < text.size() ? text.substr(star + 1) : text.substr(0, star);
    problems_.Error(node, "has * elsewhere than at its ends",
                    {.allowed = "* at either end: \"text*\", \"*text\", \"*text*\"; \"*\" by itself is anything",
                     .suggestion = longer.empty() ? "" : "did you mean \"*" + std::string(longer) + "*\"?"});
    return;
  }
  using Kind = Wanted::Kind;
  const Kind kind =
      leading ? (trailing ? Kind::kContains : Kind::kSuffix) : (trailing ? Kind::kPrefix : Kind::kLiteral);
  wanted.push_back({kind, std::string(text), 0});
}

}  // namespace packhorse::contract
