#include <algorithm>
#include <string>
#include <vector>

#include "base/text.h"
#include "config/config.h"
#include "document/schema.h"
#include "document/schema_text.h"

namespace packhorse::config {
namespace {

constexpr std::string_view kIntroduction = R"(# Configuration

<!-- Made from contracts/schema/config.schema.json; lib/config/README.md says how to make it again. -->

Packhorse reads one file, `/etc/packhorse/packhorse.json`: JSON in UTF-8 with `//` comments, at most 1 MiB and
32 levels. `packhorse check` (or `packhorsed --check`) names every mistake in it at once, each with its place as
a JSON pointer, the line, what stands there and what is allowed, and ends with exit code 78. An unknown key is a
mistake. A warning does not stop the daemon.

Needed are `gateway.id`, one source, one stream and one destination; everything else has a default.
`/usr/share/packhorse/packhorse.json` (in the sources `systemd/packhorse.json`) is a commented example.

**Durations** are a whole number with `ms`, `s`, `m`, `h` or `d`: `"250ms"`, `"10s"`, `"30d"`. **Sizes** are a
whole number of bytes, or one with `KiB`, `MiB` or `GiB`: `4096`, `"1MiB"`. There are no other forms. Paths are
absolute.
)";

constexpr std::string_view kRules = R"(
## Rules beyond single values

- **Names** of sources, streams and destinations are unique, and what refers to one must exist. A stream may
  leave out `source` or `destinations` where there is only one.
- **Topics.** A message belongs to the first stream whose topics match. Where one filter of a source covers
  another, only the wider one is subscribed and the check warns; a stream that an earlier one covers completely
  is *shadowed* and gets nothing. Two filters of one source that overlap while neither covers the other (`a/+/x`
  and `a/b/+`) are a mistake: a broker may deliver a message that matches both twice. A third filter that covers
  both (`a/#`) settles it.
- **Plaintext.** `mqtt://` and `http://` reach 127.0.0.0/8, `::1` and `localhost`. Any other host needs
  `"allow_plaintext": true` beside the URL.
- **URLs** carry no user name, no password, no query and no fragment.
- **Secrets** are never written into the configuration, only where they are found. A secret's file, and a
  private key, must be closed to other users (`chmod o=`); the group may read it, so that `root:packhorse` with
  mode 0640 works. A variable of the environment must be set when the check runs. A systemd credential can only
  be checked within the service.
- **Two sources** at the same broker have different client identifiers.
- **Smallest before largest:** `reconnect.min` up to `reconnect.max`, `retry.initial` up to `retry.max`.
- **Limits** that count records leave room for a full batch.
)";

// Text that neither ends a table's cell nor opens an HTML tag.
std::string Cell(std::string_view text) {
  std::string cell;
  for (const char c : text) {
    cell += c == '|' ? "\\|" : c == '<' ? "&lt;" : std::string(1, c);
  }
  return cell;
}

// A default or bound as it would be written.
std::string Literal(const document::Node& node) {
  switch (node.kind) {
    case document::Node::Kind::kString:
      return "`" + document::Quoted(node.text) + "`";
    case document::Node::Kind::kArray: {
      std::string items;
      for (const document::Node& item : node.items) {
        items += (items.empty() ? "" : ", ") + document::Display(item);
      }
      return "`[" + items + "]`";
    }
    case document::Node::Kind::kObject:
      return "`{}`";
    default:
      return "`" + document::Display(node) + "`";
  }
}

std::string TypeName(const document::Schema& schema) {
  const std::string shape = schema.Text("x-shape");
  const std::string kind = schema.Text("x-kind");
  if (!shape.empty()) {
    return "[" + shape + "](#" + shape + ")";
  }
  if (kind == "secret") {
    return "[secret](#secret) without `next`";
  }
  if (kind == "duration" || kind == "size" || kind == "path") {
    return kind;
  }
  if (const document::Node* items = schema.Get("items")) {
    return "array of " + TypeName(schema.At(*items));
  }
  const document::Node* additional = schema.Get("additionalProperties");
  if (additional != nullptr && additional->kind == document::Node::Kind::kObject) {
    return "object: name to " + TypeName(schema.At(*additional));
  }
  return Join(schema.Texts("type"), " or ");
}

std::string DefaultText(const document::Schema& schema, bool required) {
  if (required) {
    return "**needed**";
  }
  if (const document::Node* standard = schema.Get("default")) {
    return schema.HasType("object") ? "" : Literal(*standard);
  }
  return schema.Text("x-default");
}

std::string RangeText(const document::Schema& schema) {
  if (schema.Get("enum") != nullptr) {
    std::vector<std::string> choices = schema.Texts("enum");
    for (std::string& choice : choices) {
      choice = "`" + choice + "`";
    }
    return Join(choices, ", ");
  }
  std::string text = schema.HasType("object") ? schema.Text("x-allowed") : document::AllowedText(schema);
  const document::Node* items = schema.Get("items");
  if (items != nullptr && schema.At(*items).Text("x-shape").empty()) {
    const std::string each = RangeText(schema.At(*items));
    text += each.empty() ? "" : "; each: " + each;
  }
  return text;
}

// One row for each property, objects within objects as "outer.inner", those of a list as "outer[].inner".
void AddRows(const document::Schema& schema, const std::string& prefix, std::string& rows) {
  const std::vector<std::string> required = schema.Texts("required");
  for (const std::string& name : schema.PropertyNames()) {
    const std::optional<document::Schema> property = schema.Member(name);
    if (!property) {
      continue;
    }
    const bool needed = std::find(required.begin(), required.end(), name) != required.end();
    std::string meaning = property->Text("description");
    if (const document::Node* not_yet = property->Get("x-not-yet")) {
      meaning += " *Note: " + property->At(*not_yet).Text("note") + ".*";
    }
    rows += "| `" + prefix + name + "` | " + Cell(TypeName(*property)) + " | " + Cell(DefaultText(*property, needed)) +
            " | " + Cell(RangeText(*property)) + " | " + Cell(meaning) + " |\n";
    const bool section = !property->Text("x-shape").empty() || property->Text("x-kind") == "secret";
    if (!section && property->HasType("object")) {
      AddRows(*property, prefix + name + ".", rows);
    }
    if (const document::Node* items = property->Get("items"); items != nullptr) {
      const document::Schema each = property->At(*items);
      if (each.Text("x-shape").empty() && each.HasType("object")) {
        AddRows(each, prefix + name + "[].", rows);
      }
    }
  }
}

std::string Table(const document::Schema& schema) {
  std::string text = "\n| key | type | default | allowed | meaning |\n|---|---|---|---|---|\n";
  AddRows(schema, "", text);
  return text;
}

std::string Section(const std::string& name, const document::Schema& schema) {
  std::string text = "\n## " + name + "\n\n" + schema.Text("description") + "\n";
  if (const std::string range = RangeText(schema); schema.HasType("array")) {
    text += "An array of " + range + ", each with:\n";
    return text + Table(schema.At(*schema.Get("items")));
  }
  if (schema.PropertyNames().empty()) {
    return text + "An " + TypeName(schema) + "s; " + RangeText(schema) + ".\n";
  }
  return text + Table(schema);
}

}  // namespace

std::string RenderReference() {
  const document::Document document = document::EmbeddedSchema("config.schema.json");
  const document::Schema root(document.root, document.root);
  std::string text(kIntroduction);
  for (const std::string& name : root.PropertyNames()) {
    const std::optional<document::Schema> property = root.Member(name);
    if (property && name != "$schema") {
      text += Section(name, *property);
    }
  }
  for (const char* shape : {"secret", "setting", "limit"}) {
    const document::Schema schema = root.At(document.root["$defs"][shape]);
    text += "\n## " + std::string(shape) + "\n\n" + schema.Text("description") + "\n" + Table(schema);
  }
  return text.append(kRules);
}

}  // namespace packhorse::config
