#include "document/check.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"
#include "base/units.h"
#include "document/schema_text.h"
#include "document/suggest.h"

namespace packhorse::document {
namespace {

// Characters, not bytes: that is what maxLength counts.
std::size_t Characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

bool HasControlCharacter(std::string_view text) { return std::any_of(text.begin(), text.end(), IsControl); }

bool TypeFits(const Node& node, const Schema& schema) {
  switch (node.kind) {
    case Node::Kind::kNull:
      return false;
    case Node::Kind::kBoolean:
      return schema.HasType("boolean");
    case Node::Kind::kInteger:
      return schema.HasType("integer") || schema.HasType("number");
    case Node::Kind::kNumber:
      return schema.HasType("number");
    case Node::Kind::kString:
      return schema.HasType("string");
    case Node::Kind::kArray:
      return schema.HasType("array");
    case Node::Kind::kObject:
      return schema.HasType("object");
  }
  return false;
}

// Places of the schema, other than this one, that know a key: "destinations[].batch".
void FindKey(const Schema& schema, std::string_view key, const std::string& place, std::vector<std::string>& found) {
  const Node* properties = schema.Get("properties");
  if (properties != nullptr) {
    for (const Member& member : properties->members) {
      if (member.name == key) {
        found.push_back(place.empty() ? "the top level" : place);
      }
      FindKey(schema.At(member.value), key, place.empty() ? member.name : place + "." + member.name, found);
    }
  }
  if (const Node* items = schema.Get("items")) {
    FindKey(schema.At(*items), key, place + "[]", found);
  }
}

class Checker {
 public:
  Checker(const Schema& root, Problems& problems) : root_(root), problems_(problems) {}

  Node Check(const Node& in, const Schema& schema, std::string pointer, bool hidden) {
    Node out = Copy(in, schema, std::move(pointer), hidden);
    if (schema.Get("type") == nullptr) {  // anything may stand here
      CopyBelow(in, out);
      return out;
    }
    if (!TypeFits(in, schema)) {
      ReportType(in, schema, out);
      return out;
    }
    switch (in.kind) {
      case Node::Kind::kObject:
        CheckObject(in, schema, out);
        break;
      case Node::Kind::kArray:
        CheckArray(in, schema, out);
        break;
      case Node::Kind::kString:
        CheckText(schema, out);
        break;
      case Node::Kind::kInteger:
      case Node::Kind::kNumber:
        CheckNumber(schema, out);
        break;
      case Node::Kind::kNull:
      case Node::Kind::kBoolean:
        break;
    }
    WarnNotYet(schema, out);
    return out;
  }

 private:
  static Node Copy(const Node& in, const Schema& schema, std::string pointer, bool hidden) {
    Node out;
    out.kind = in.kind;
    out.boolean = in.boolean;
    out.integer = in.integer;
    out.number = in.number;
    out.text = in.text;
    out.line = in.line;
    out.order = in.order;
    out.pointer = std::move(pointer);
    out.hidden = hidden || schema.Flag("x-sensitive");
    if (schema.Text("x-kind") == "url") {
      out.hidden = in.text.find_first_of("@?#") != std::string::npos;  // rules_urls.cpp shows it without them
    }
    const std::string show = schema.Text("x-show");
    if (in.kind == Node::Kind::kString && out.hidden && !show.empty() && in.text.size() <= 256) {
      out.hidden = !MatchesPattern(in.text, show);
    }
    return out;
  }

  // What the schema says nothing of, with its places.
  static void CopyBelow(const Node& in, Node& out) {
    const auto copy = [&](const Node& value, std::string_view token) {
      Node node = value;
      node.items.clear();
      node.members.clear();
      node.pointer = Below(out.pointer, token);
      node.hidden = out.hidden;
      CopyBelow(value, node);
      return node;
    };
    for (std::size_t i = 0; i < in.items.size(); ++i) {
      out.items.push_back(copy(in.items[i], std::to_string(i)));
    }
    for (const Member& member : in.members) {
      out.members.push_back(Member{member.name, copy(member.value, member.name), member.duplicate});
    }
  }

  void Invalid(Node& out, std::string message, Details details) {
    problems_.Error(out, std::move(message), std::move(details));
    out.valid = false;
  }

  void ReportType(const Node& in, const Schema& schema, Node& out) {
    const std::string kind = schema.Text("x-kind");
    if (kind == "secret" && in.kind == Node::Kind::kString) {
      Invalid(out, "a secret must not be written into the configuration", {.allowed = std::string(kSecretForm)});
      return;
    }
    const bool container = in.kind == Node::Kind::kObject || in.kind == Node::Kind::kArray;
    const std::string type = TypeText(schema);
    const std::string allowed = AllowedText(schema);
    Invalid(out, "must be " + type,
            {.allowed = allowed == type ? "" : allowed,
             .suggestion = out.hidden ? "" : TypeSuggestion(in, schema),
             .value = container ? Display(in) : Display(out)});
  }

  static std::string TypeSuggestion(const Node& in, const Schema& schema) {
    if (in.kind == Node::Kind::kInteger && in.integer >= 0 && schema.Text("x-kind") == "duration") {
      return "did you mean \"" + in.text + "s\"?";
    }
    if (in.kind != Node::Kind::kString) {
      return "";
    }
    if (schema.HasType("array")) {
      return "put it in [ ]";
    }
    const bool number = schema.HasType("integer") || schema.HasType("number");
    const bool digits = !in.text.empty() && in.text.find_first_not_of("0123456789") == std::string::npos;
    const bool truth = in.text == "true" || in.text == "false";
    const bool quoted = (number && digits && in.text.size() <= 20) || (schema.HasType("boolean") && truth);
    return quoted ? "did you mean " + in.text + " without quotes?" : "";
  }

  void CheckObject(const Node& in, const Schema& schema, Node& out) {
    const std::string names = [&] {
      const Node* rule = schema.Get("propertyNames");
      return rule == nullptr ? std::string() : schema.At(*rule).Text("pattern");
    }();
    const std::optional<std::int64_t> most = Bound(schema, "maxProperties");
    if (most && in.members.size() > static_cast<std::size_t>(*most)) {
      Invalid(out, "has too many members", {.allowed = "at most " + std::to_string(*most), .value = Display(in)});
      return;
    }
    for (const Member& member : in.members) {
      CheckMember(member, schema, names, out);
    }
    for (const std::string& name : schema.Texts("required")) {
      if (in.Find(name) == nullptr) {
        const std::optional<Schema> missing = schema.Member(name);
        problems_.Error(out, Quoted(name) + " is missing",
                        {.allowed = missing ? TypeText(*missing) : "", .show_value = false});
      }
    }
    if (const std::vector<std::string> keys = schema.Texts("x-one-of"); !keys.empty()) {
      CheckOneOf(in, keys, out);
    }
    AddDefaults(in, schema, out);
  }

  void CheckMember(const Member& member, const Schema& schema, const std::string& names, Node& out) {
    const std::string pointer = Below(out.pointer, member.name);
    Node place;
    place.pointer = pointer;
    place.line = member.value.line;
    place.order = member.value.order;
    if (member.duplicate) {
      problems_.Error(place, "the key " + Quoted(member.name) + " is written twice in one object",
                      {.allowed = "each key once", .show_value = false});
      return;
    }
    const std::optional<Schema> known = schema.Member(member.name);
    if (!known) {
      ReportUnknown(member, schema, place);
      return;
    }
    const Node* properties = schema.Get("properties");
    const bool named = properties != nullptr && properties->Find(member.name) != nullptr;
    if (!named && !names.empty() && (member.name.size() > 256 || !MatchesPattern(member.name, names))) {
      problems_.Error(place, "the name " + Quoted(member.name) + " is not allowed",
                      {.allowed = schema.Text("x-allowed"), .show_value = false});
    }
    out.members.push_back(Member{member.name, Check(member.value, *known, pointer, out.hidden)});
  }

  void ReportUnknown(const Member& member, const Schema& schema, const Node& place) {
    const std::vector<std::string> known = schema.PropertyNames();
    std::string suggestion = DidYouMean(member.name, known);
    if (suggestion.empty()) {
      std::vector<std::string> elsewhere;
      FindKey(root_, member.name, "", elsewhere);
      if (!elsewhere.empty()) {
        suggestion = "it belongs in " + List(elsewhere);
      }
    }
    problems_.Error(place, "unknown key " + Quoted(member.name),
                    {.allowed = List(known), .suggestion = suggestion, .show_value = false});
  }

  // `keys` exclude each other and one of them is needed.
  void CheckOneOf(const Node& in, const std::vector<std::string>& keys, Node& out) {
    std::vector<std::string> present;
    for (const std::string& key : keys) {
      if (in.Find(key) != nullptr) {
        present.push_back(key);
      }
    }
    if (present.size() == 1) {
      return;
    }
    Invalid(out, present.empty() ? "says none of " + List(keys) : "says more than one of " + List(keys),
            {.allowed = "exactly one of " + List(keys),
             .value = present.empty() ? "" : List(present),
             .show_value = !present.empty()});
  }

  void AddDefaults(const Node& in, const Schema& schema, Node& out) {
    for (const std::string& name : schema.PropertyNames()) {
      if (in.Find(name) == nullptr) {
        if (const std::optional<Schema> property = schema.Member(name)) {
          if (std::optional<Node> value = Default(*property, out, Below(out.pointer, name))) {
            out.members.push_back(Member{name, std::move(*value)});
          }
        }
      }
    }
  }

  // The schema's default as a checked value that stands where `parent` stands.
  std::optional<Node> Default(const Schema& schema, const Node& parent, std::string pointer) {
    const Node* standard = schema.Get("default");
    if (standard == nullptr) {
      return std::nullopt;
    }
    const bool outer = std::exchange(in_default_, true);
    Node value = Check(*standard, schema, std::move(pointer), parent.hidden);
    in_default_ = outer;
    MarkDefault(value, parent);
    return value;
  }

  static void MarkDefault(Node& node, const Node& parent) {
    node.written = false;
    node.line = parent.line;
    node.order = parent.order;
    for (Node& item : node.items) {
      MarkDefault(item, parent);
    }
    for (Member& member : node.members) {
      MarkDefault(member.value, parent);
    }
  }

  void CheckArray(const Node& in, const Schema& schema, Node& out) {
    const std::int64_t least = Bound(schema, "minItems").value_or(0);
    const std::int64_t most = Bound(schema, "maxItems").value_or(std::numeric_limits<std::int64_t>::max());
    const auto count = static_cast<std::int64_t>(in.items.size());
    if (count < least || count > most) {
      Invalid(out, count < least ? "has too few entries" : "has too many entries",
              {.allowed = AllowedText(schema), .value = Display(in)});
    }
    const Node* rule = schema.Get("items");
    if (rule == nullptr || count > most) {
      return;
    }
    for (std::size_t i = 0; i < in.items.size(); ++i) {
      out.items.push_back(Check(in.items[i], schema.At(*rule), Below(out.pointer, std::to_string(i)), out.hidden));
    }
  }

  void CheckText(const Schema& schema, Node& out) {
    const std::size_t length = Characters(out.text);
    const std::string allowed = AllowedText(schema);
    if (HasControlCharacter(out.text)) {
      Invalid(out, "holds a control character", {.allowed = "text without control characters"});
    } else if (length == 0 && Bound(schema, "minLength").value_or(0) > 0) {
      Invalid(out, "must not be empty", {.allowed = allowed});
    } else if (const auto most = Bound(schema, "maxLength"); most && length > static_cast<std::size_t>(*most)) {
      Invalid(out, "is too long: " + std::to_string(length) + " characters",
              {.allowed = "at most " + std::to_string(*most)});
    } else {
      CheckForm(schema, out, allowed);
    }
  }

  void CheckForm(const Schema& schema, Node& out, const std::string& allowed) {
    const std::string kind = schema.Text("x-kind");
    if (kind == "duration" || kind == "size") {
      CheckUnits(kind, schema, out);
    } else if (kind == "path") {
      if (out.text.front() != '/') {
        Invalid(out, "must be an absolute path", {.allowed = "a path that starts with '/'"});
      }
    } else if (kind == "url" || kind == "listen") {
      return;  // rules_urls.cpp says more precisely than a pattern what is wrong
    } else if (schema.Get("enum") != nullptr) {
      const std::vector<std::string> choices = schema.Texts("enum");
      if (std::find(choices.begin(), choices.end(), out.text) == choices.end()) {
        Invalid(out, "is not one of the choices",
                {.allowed = allowed, .suggestion = out.hidden ? "" : DidYouMean(out.text, choices)});
      }
    } else if (const std::string pattern = schema.Text("pattern"); !pattern.empty()) {
      if (!MatchesPattern(out.text, pattern)) {
        Invalid(out, "does not have the right form", {.allowed = allowed});
      }
    }
  }

  // Turns a duration or size into Node::integer.
  void CheckUnits(const std::string& kind, const Schema& schema, Node& out) {
    std::optional<std::int64_t> amount;
    if (kind == "duration") {
      if (const auto duration = ParseDuration(out.text)) {
        amount = duration->count();
      }
    } else if (const auto bytes = ParseBytes(out.text)) {
      amount = static_cast<std::int64_t>(*bytes);
    }
    if (!amount) {
      Invalid(out, kind == "duration" ? "is not a duration" : "is not a size",
              {.allowed = std::string(kind == "duration" ? kDurationForm : kSizeForm)});
      return;
    }
    CheckRange(schema, *amount, out);
    if (const auto step = Bound(schema, "x-multiple"); out.valid && step && *amount % *step != 0) {
      Invalid(out, "must be a multiple of " + schema.Text("x-multiple"), {.allowed = AllowedText(schema)});
    }
    out.kind = Node::Kind::kInteger;
    out.integer = *amount;
    out.text = Quoted(out.text);
  }

  void CheckNumber(const Schema& schema, Node& out) {
    if (schema.HasType("number")) {
      const Node* low = schema.Get("minimum");
      const Node* high = schema.Get("maximum");
      if ((low != nullptr && out.number < low->number) || (high != nullptr && out.number > high->number)) {
        Invalid(out, "is out of range", {.allowed = AllowedText(schema)});
      }
      return;
    }
    CheckRange(schema, out.integer, out);
  }

  void CheckRange(const Schema& schema, std::int64_t amount, Node& out) {
    const bool annotated = schema.Get("x-minimum") != nullptr || schema.Get("x-maximum") != nullptr;
    const auto low = Bound(schema, annotated ? "x-minimum" : "minimum");
    const auto high = Bound(schema, annotated ? "x-maximum" : "maximum");
    if ((low && amount < *low) || (high && amount > *high)) {
      Invalid(out, "is out of range", {.allowed = AllowedText(schema)});
    }
  }

  // A setting that is accepted but has no effect in this release must not pass in silence.
  void WarnNotYet(const Schema& schema, Node& out) {
    const Node* not_yet = schema.Get("x-not-yet");
    if (not_yet == nullptr || !out.valid || in_default_ || SameAsDefault(schema, out)) {
      return;
    }
    problems_.Warning(out, schema.At(*not_yet).Text("note"));
  }

  bool SameAsDefault(const Schema& schema, const Node& out) {
    const std::optional<Node> standard = Default(schema, out, out.pointer);
    if (!standard || standard->kind != out.kind) {
      return false;
    }
    return out.kind == Node::Kind::kInteger ? standard->integer == out.integer
                                            : standard->text == out.text && standard->items.size() == out.items.size();
  }

  Schema root_;
  Problems& problems_;
  bool in_default_ = false;  // what is being checked is a default, not what the user wrote
};

}  // namespace

Node CheckAgainstSchema(const Node& document, const Schema& schema, Problems& problems) {
  return Checker(schema, problems).Check(document, schema, "", false);
}

}  // namespace packhorse::document
