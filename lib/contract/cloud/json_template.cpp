#include "contract/cloud/json_template.h"

#include <algorithm>
#include <utility>

#include "format/json/writer.h"

namespace packhorse::contract {
namespace {

using document::Node;

Template Parse(const Node& node, Where where, bool needed, Declared& declared, document::Problems& problems);

Template Literal(std::string text) {
  Template parsed;
  parsed.literal = std::move(text);
  return parsed;
}

Template ParseString(const Node& node, Where where, bool needed, Declared& declared, document::Problems& problems) {
  Template parsed;
  parsed.text = ParseText(node.text, node, where, needed, declared, problems);
  parsed.kind = Template::Kind::kText;
  if (parsed.text.constant()) {
    parsed.kind = Template::Kind::kLiteral;
    parsed.literal.clear();
    format::AppendString(parsed.literal, parsed.text.pieces.empty() ? "" : parsed.text.pieces[0].literal);
  }
  return parsed;
}

bool NamesGroups(const Template& value) {
  const Placeholder* alone = value.kind == Template::Kind::kText ? value.text.alone() : nullptr;
  return alone != nullptr && alone->source == Source::kGroups && alone->filters.empty();
}

bool NamesMap(const Template& value) {
  const Placeholder* alone = value.kind == Template::Kind::kText ? value.text.alone() : nullptr;
  if (alone == nullptr) {
    return false;
  }
  const bool to_text = std::any_of(alone->filters.begin(), alone->filters.end(), [](const AppliedFilter& each) {
    return each.filter == Filter::kJson || each.filter == Filter::kTags || each.filter == Filter::kDefault ||
           each.filter == Filter::kString || each.filter == Filter::kLookup || each.filter == Filter::kBase64 ||
           each.filter == Filter::kHex;
  });
  return !to_text && (alone->source == Source::kFields || alone->source == Source::kMeasurements ||
                      alone->source == Source::kAttributes || alone->source == Source::kGatewayAttributes);
}

TemplateMember ParseMember(const document::Member& member, Where where, Declared& declared,
                           document::Problems& problems) {
  TemplateMember parsed;
  parsed.value = Parse(member.value, where, false, declared, problems);
  parsed.merged = member.name == "*";
  if (member.duplicate) {
    problems.Error(member.value, "the key " + document::Quoted(member.name) + " is written twice in one object",
                   {.allowed = "each key once", .show_value = false});
  }
  if (parsed.merged) {
    if (!NamesMap(parsed.value) && !NamesGroups(parsed.value)) {
      problems.Error(
          member.value, "\"*\" takes the members of a map",
          {.allowed = R"("{fields}", "{measurements}", "{attributes}", "{gateway.attributes}" or "{groups}")"});
    }
    return parsed;
  }
  parsed.key = ParseText(member.name, member.value, where, true, declared, problems);
  if (parsed.key.constant()) {
    parsed.name = parsed.key.pieces.empty() ? "" : parsed.key.pieces[0].literal;
    format::AppendString(parsed.prefix, parsed.name);
    parsed.prefix += ':';
  }
  return parsed;
}

Template ParseObject(const Node& node, Where where, Declared& declared, document::Problems& problems) {
  Template parsed;
  parsed.kind = Template::Kind::kObject;
  bool constant = true;
  std::string literal = "{";
  for (const document::Member& member : node.members) {
    TemplateMember one = ParseMember(member, where, declared, problems);
    if (one.merged && NamesGroups(one.value) && node.members.size() > 1) {
      problems.Error(member.value, "has members beside it, which a group may be called like",
                     {.allowed = R"("*": "{groups}" as the only member of its object)", .show_value = false});
    }
    constant = constant && !one.prefix.empty() && one.value.kind == Template::Kind::kLiteral;
    literal += (literal.size() == 1 ? "" : ",") + one.prefix + one.value.literal;
    parsed.members.push_back(std::move(one));
  }
  return constant ? Literal(literal + "}") : parsed;
}

Template ParseList(const Node& node, Where where, Declared& declared, document::Problems& problems) {
  Template parsed;
  parsed.kind = Template::Kind::kList;
  bool constant = true;
  std::string literal = "[";
  for (const Node& item : node.items) {
    Template one = Parse(item, where, true, declared, problems);
    constant = constant && one.kind == Template::Kind::kLiteral;
    literal += (literal.size() == 1 ? "" : ",") + one.literal;
    parsed.items.push_back(std::move(one));
  }
  return constant ? Literal(literal + "]") : parsed;
}

Template Parse(const Node& node, Where where, bool needed, Declared& declared, document::Problems& problems) {
  switch (node.kind) {
    case Node::Kind::kNull:
      return Literal("null");
    case Node::Kind::kBoolean:
      return Literal(node.boolean ? "true" : "false");
    case Node::Kind::kInteger:
    case Node::Kind::kNumber:
      return Literal(node.text);
    case Node::Kind::kString:
      return ParseString(node, where, needed, declared, problems);
    case Node::Kind::kArray:
      return ParseList(node, where, declared, problems);
    case Node::Kind::kObject:
      return ParseObject(node, where, declared, problems);
  }
  return {};
}

}  // namespace

Template ParseTemplate(const document::Node& node, Where where, Declared& declared, document::Problems& problems) {
  return Parse(node, where, false, declared, problems);
}

}  // namespace packhorse::contract
