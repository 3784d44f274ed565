#include "contract/cloud/read_request.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/text.h"
#include "contract/cloud/path_text.h"

namespace packhorse::contract {
namespace {

using document::Node;

class RequestReader {
 public:
  RequestReader(const Node& request, Declared& declared, CloudDefinition& definition, document::Problems& problems)
      : request_(request), declared_(declared), d_(definition), problems_(problems) {}

  void Read() {
    declared_.each = d_.each = request_["each"].usable();
    ReadLets();
    ReadSplit();
    d_.method = request_["method"].text;
    d_.path = Parse(request_["path"], Where::kPath);
    CheckPath(d_.path, request_["path"], problems_);
    ReadQuery();
    ReadHeaders();
    for (const Node& coding : request_["coding"].items) {
      d_.codings.push_back(coding.text);
    }
    ReadBody();
    ReadGroup();
    CheckScope();
  }

 private:
  Text Parse(const Node& node, Where where, bool needed = false) {
    if (node.kind != Node::Kind::kString) {
      if (node.kind != Node::Kind::kNull || node.written) {
        problems_.Error(node, "must be a text", {.allowed = "a text with placeholders"});
      }
      return {};
    }
    return ParseText(node.text, node, where, needed, declared_, problems_);
  }

  void ReadLets() {
    const Node& lets = request_["let"];
    if (!lets.usable()) {
      return;
    }
    constexpr std::size_t kMost = 16;
    if (lets.kind != Node::Kind::kObject || lets.members.size() > kMost) {
      problems_.Error(lets, "must be an object of at most 16 names", {.allowed = "{ \"NAME\": template }"});
      return;
    }
    for (const document::Member& member : lets.members) {
      d_.lets.emplace_back(member.name, ParseTemplate(member.value, Where::kLet, declared_, problems_));
    }
    for (const document::Member& member : lets.members) {
      declared_.lets.push_back(member.name);
    }
  }

  void ReadSplit() {
    const Node& split = request_["split_by"];
    if (split.kind == Node::Kind::kString) {
      d_.split_by.push_back(Parse(split, Where::kSplit));
    } else if (split.kind == Node::Kind::kArray && split.items.size() <= 16) {
      for (const Node& item : split.items) {
        d_.split_by.push_back(Parse(item, Where::kSplit));
      }
    } else if (split.usable()) {
      problems_.Error(split, "must be a text or a list of texts", {.allowed = "\"{device_id}\""});
    }
  }

  void ReadQuery() {
    for (const document::Member& member : request_["query"].members) {
      Text name = ParseText(member.name, member.value, Where::kQuery, true, declared_, problems_);
      d_.query.emplace_back(std::move(name), Parse(member.value, Where::kQuery));
    }
  }

  void ReadHeaders() {
    static const std::set<std::string, std::less<>> kOurs = {"content-length", "content-encoding",  "host",
                                                             "connection",     "transfer-encoding", "expect"};
    for (const document::Member& member : request_["headers"].members) {
      const std::string lower = Lower(member.name);
      if (!IsToken(member.name) || kOurs.contains(lower)) {
        problems_.Error(
            member.value, "the header " + document::Quoted(member.name) + " cannot be set",
            {.allowed = "names of letters, digits and '-', but none that belongs to the connection or the coding",
             .show_value = false});
      }
      if (std::any_of(member.value.text.begin(), member.value.text.end(), IsControl)) {
        continue;  // the schema has said so
      }
      Text value = Parse(member.value, Where::kHeader);
      if (lower == "content-type") {
        d_.content_type = std::move(value);
      } else {
        d_.headers.emplace_back(member.name, std::move(value));
      }
    }
  }

  void ReadBody() {
    const Node& body = request_["body"];
    const auto content_type = [&](std::string_view standard) {
      if (!d_.content_type) {
        d_.content_type = Text{{Piece{std::string(standard), std::nullopt}}};
      }
    };
    if (!body.usable() || body.kind != Node::Kind::kObject) {
      return;
    }
    d_.style.big_integers_as_text = body["big_integers"].text == "string";
    if (const Node* json = body.Find("json")) {
      content_type("application/json");
      ReadJson(*json);
    } else if (const Node* lines = body.Find("ndjson")) {
      content_type("application/x-ndjson");
      ReadLines(*lines);
    } else if (const Node* text = body.Find("text")) {
      content_type("text/plain; charset=utf-8");
      ReadTextBody(*text, body);
    } else if (const Node* line = body.Find("line_protocol")) {
      content_type("text/plain; charset=utf-8");
      ReadLineProtocol(*line);
    } else if (const Node* otlp = body.Find("otlp")) {
      content_type("application/json");
      ReadOtlp(*otlp);
    } else if (const Node* series = body.Find("remote_write")) {
      content_type("application/x-protobuf");
      ReadRemoteWrite(*series);
    }
    CheckCompanions(body);
  }

  void CheckCompanions(const Node& body) {
    const bool json = body.Find("json") != nullptr || body.Find("ndjson") != nullptr;
    if (const Node* big = body.Find("big_integers"); big != nullptr && !json) {
      problems_.Error(*big, "has no meaning here", {.allowed = "beside json or ndjson"});
    }
    for (const char* key : {"escape", "join"}) {
      if (const Node* node = body.Find(key); node != nullptr && body.Find("text") == nullptr) {
        problems_.Error(*node, "has no meaning here", {.allowed = "beside text"});
      }
    }
    const bool own =
        d_.body == BodyKind::kLineProtocol || d_.body == BodyKind::kOtlp || d_.body == BodyKind::kRemoteWrite;
    if (const Node& item = request_["item"]; own && item.usable()) {
      problems_.Error(item, "this body says itself what an item is",
                      {.allowed = "no item beside line_protocol, otlp and remote_write"});
    }
  }

  void ReadItem() {
    const Node* item = request_.Find("item");
    if (item == nullptr) {
      problems_.Error(request_, "\"item\" is missing",
                      {.allowed = "what one record, or one measurement, becomes", .show_value = false});
      return;
    }
    if (d_.body == BodyKind::kText) {
      d_.text_item = Parse(*item, Where::kItem, true);
      return;
    }
    d_.item = ParseTemplate(*item, Where::kItem, declared_, problems_);
    const Placeholder* alone = d_.item.kind == Template::Kind::kText ? d_.item.text.alone() : nullptr;
    d_.item_is_record = !d_.each && alone != nullptr && alone->source == Source::kRecord && alone->filters.empty();
  }

  // How often a template has {items}, {groups} or {item} as a whole value; elsewhere they cannot stand.
  void CountBodies(const Template& value, std::vector<Source>& found) {
    if (value.kind == Template::Kind::kText) {
      for (const Piece& piece : value.text.pieces) {
        if (piece.placeholder && IsBody(piece.placeholder->source)) {
          found.push_back(piece.placeholder->source);
          inside_text_ = inside_text_ || value.text.alone() == nullptr || !piece.placeholder->filters.empty();
        }
      }
    }
    for (const TemplateMember& member : value.members) {
      for (const Piece& piece : member.key.pieces) {
        inside_text_ = inside_text_ || (piece.placeholder && IsBody(piece.placeholder->source));
      }
      CountBodies(member.value, found);
    }
    for (const Template& item : value.items) {
      CountBodies(item, found);
    }
  }
  static bool IsBody(Source source) {
    return source == Source::kItems || source == Source::kGroups || source == Source::kItem;
  }

  static bool Spreads(const Template& value) {
    return std::any_of(value.members.begin(), value.members.end(),
                       [](const TemplateMember& member) {
                         const Placeholder* alone = member.merged ? member.value.text.alone() : nullptr;
                         return (alone != nullptr && alone->source == Source::kGroups) || Spreads(member.value);
                       }) ||
           std::any_of(value.items.begin(), value.items.end(), Spreads);
  }

  void ReadJson(const Node& json) {
    d_.body = BodyKind::kJson;
    ReadItem();
    d_.envelope = ParseTemplate(json, Where::kEnvelope, declared_, problems_);
    std::vector<Source> found;
    CountBodies(d_.envelope, found);
    d_.spread_groups = Spreads(d_.envelope);
    const bool grouped = request_["group"].usable();
    const std::string wanted = grouped ? "\"{groups}\" once, as a value of its own"
                                       : "\"{items}\" once (or \"{item}\" with max_items 1), as a value of its own";
    if (found.size() != 1 || inside_text_) {
      problems_.Error(json, "must take the items exactly once", {.allowed = wanted, .show_value = false});
    } else if (grouped != (found[0] == Source::kGroups)) {
      problems_.Error(json,
                      grouped ? "takes the items without their groups" : "takes groups, and there is no \"group\"",
                      {.allowed = wanted, .show_value = false});
    } else if (found[0] == Source::kItem && d_.accepts.max_items != 1) {
      problems_.Error(json, "\"{item}\" is one item, and max_items is more",
                      {.allowed = "\"{items}\", or max_items 1", .show_value = false});
    }
  }

  void ReadLines(const Node& lines) {
    d_.body = BodyKind::kNdjson;
    ReadItem();
    if (lines.kind != Node::Kind::kArray || lines.items.empty() || lines.items.size() > 16) {
      problems_.Error(lines, "must be a list of one to 16 lines",
                      {.allowed = "[\"{item}\"]", .suggestion = "put it in [ ]"});
      return;
    }
    for (const Node& line : lines.items) {
      d_.lines.push_back(ParseTemplate(line, Where::kLine, declared_, problems_));
    }
  }

  void ReadTextBody(const Node& text, const Node& body) {
    d_.body = BodyKind::kText;
    const std::string escape = body["escape"].text;
    d_.escape = escape == "xml" ? Escape::kXml : escape == "none" ? Escape::kNone : Escape::kJson;
    if (!body["escape"].usable()) {
      problems_.Error(body, "\"escape\" is missing: what values look like inside the text",
                      {.allowed = "json, xml, none", .show_value = false});
    }
    if (const Node* join = body.Find("join")) {
      if (join->kind != Node::Kind::kString || join->text.size() > 64) {
        problems_.Error(*join, "must be a text of at most 64 bytes");
      }
      d_.join = join->text;
    }
    ReadItem();
    d_.text_envelope = Parse(text, Where::kEnvelope, true);
    const auto count =
        std::count_if(d_.text_envelope.pieces.begin(), d_.text_envelope.pieces.end(),
                      [](const Piece& piece) { return piece.placeholder && IsBody(piece.placeholder->source); });
    const auto items = std::count_if(
        d_.text_envelope.pieces.begin(), d_.text_envelope.pieces.end(),
        [](const Piece& piece) { return piece.placeholder && piece.placeholder->source == Source::kItems; });
    if (count != 1 || items != 1) {
      problems_.Error(text, "must take the items exactly once", {.allowed = "{items} once", .show_value = false});
    }
  }

  Pairs ReadPairs(const Node& object, Where where) {
    Pairs pairs;
    for (const document::Member& member : object.members) {
      Text value = Parse(member.value, where);
      if (member.name != "*") {
        pairs.written.emplace_back(ParseText(member.name, member.value, where, true, declared_, problems_),
                                   std::move(value));
      } else if (!AddMap(value, pairs)) {
        problems_.Error(member.value, "\"*\" takes the members of a map",
                        {.allowed = "\"{fields}\", \"{measurements|values}\", \"{attributes}\""});
      }
    }
    return pairs;
  }

  static bool AddMap(const Text& value, Pairs& pairs) {
    const Placeholder* alone = value.alone();
    const bool map =
        alone != nullptr && (alone->source == Source::kFields || alone->source == Source::kMeasurements ||
                             alone->source == Source::kAttributes || alone->source == Source::kGatewayAttributes);
    if (map) {
      pairs.merged.push_back(*alone);
    }
    return map;
  }

  // What only a request knows cannot be written into bytes of a writer's own.
  void RefuseDeferred(const Node& at, std::size_t before) {
    if (declared_.deferred.size() > before) {
      problems_.Error(at,
                      document::Quoted(declared_.deferred.back().name) +
                          " cannot stand here: an item is written before its request is known",
                      {.allowed = "names of the record, and settings", .show_value = false});
      declared_.deferred.resize(before);
    }
  }

  void ReadLineProtocol(const Node& line) {
    d_.body = BodyKind::kLineProtocol;
    const std::size_t before = declared_.deferred.size();
    d_.mapping.name = Parse(line["measurement"], Where::kItem, true);
    d_.mapping.tags = ReadPairs(line["tags"], Where::kItem);
    const Node& fields = line["fields"];
    if (fields.kind == Node::Kind::kObject) {
      d_.mapping.fields = ReadPairs(fields, Where::kItem);
    } else if (fields.usable() && !AddMap(Parse(fields, Where::kItem), d_.mapping.fields)) {
      problems_.Error(fields, "must be a map, or an object of names and values",
                      {.allowed = "\"{fields}\", \"{measurements|values}\", { \"NAME\": \"{value}\" }"});
    }
    if (const Node* time = line.Find("time")) {
      d_.mapping.time = Parse(*time, Where::kItem);
    }
    d_.mapping.integers = line["integers"].text == "integer";
    RefuseDeferred(line, before);
  }

  void ReadOtlp(const Node& otlp) {
    d_.body = BodyKind::kOtlp;
    const std::size_t before = declared_.deferred.size();
    d_.mapping.resource = ReadPairs(otlp["resource"], Where::kEnvelope);
    d_.mapping.scope = Parse(otlp["scope"], Where::kEnvelope);
    d_.mapping.name = Parse(otlp["name"], Where::kItem, true);
    d_.mapping.unit = Parse(otlp["unit"], Where::kItem);
    d_.mapping.value = Parse(otlp["value"], Where::kItem);
    d_.mapping.time = Parse(otlp["time"], Where::kItem);
    d_.mapping.tags = ReadPairs(otlp["attributes"], Where::kItem);
    RefuseDeferred(otlp, before);
  }

  void ReadRemoteWrite(const Node& series) {
    d_.body = BodyKind::kRemoteWrite;
    const std::size_t before = declared_.deferred.size();
    d_.mapping.tags = ReadPairs(series["labels"], Where::kItem);
    d_.mapping.value = Parse(series["value"], Where::kItem);
    d_.mapping.time = Parse(series["time"], Where::kItem);
    RefuseDeferred(series, before);
    d_.codings = {"snappy"};  // the protocol knows no other
    const bool versioned = std::any_of(d_.headers.begin(), d_.headers.end(), [](const auto& header) {
      return Lower(header.first) == "x-prometheus-remote-write-version";
    });
    if (!versioned) {
      d_.headers.emplace_back("X-Prometheus-Remote-Write-Version", Text{{Piece{"0.1.0", std::nullopt}}});
    }
  }

  void ReadGroup() {
    const Node& group = request_["group"];
    if (!group.usable() || group.kind != Node::Kind::kObject) {
      return;
    }
    if (d_.body != BodyKind::kJson) {
      problems_.Error(group, "groups items of a json body alone", {.allowed = "beside \"json\"", .show_value = false});
    }
    for (const Node& by : group["by"].items) {
      d_.group_by.push_back(Parse(by, Where::kItem));
    }
    const Node* as = group.Find("as");
    if (as == nullptr) {
      return;
    }
    d_.group_as = ParseTemplate(*as, Where::kGroup, declared_, problems_);
    const document::Member* only = as->members.size() == 1 ? &as->members.front() : nullptr;
    const bool own_name = only != nullptr && group["by"].items.size() == 1 && only->name == group["by"].items[0].text &&
                          d_.group_as->members.size() == 1 && d_.group_as->members.front().prefix.empty();
    if (d_.spread_groups && !own_name) {
      problems_.Error(*as,
                      "must be one member that is called as what it is grouped by, for its members are laid beside "
                      "those of other groups",
                      {.allowed = R"("by": ["{device_id}"], "as": { "{device_id}": "{items}" })", .show_value = false});
    }
    std::vector<Source> found;
    CountBodies(*d_.group_as, found);
    if (found.size() != 1 || inside_text_) {
      problems_.Error(*as, "must take the items exactly once",
                      {.allowed = "\"{items}\" once, as a value of its own", .show_value = false});
    }
    std::set<Source> named;
    CollectNames(*d_.group_as, named);
    RequireAmong(named, NamesOf(d_.group_by), *as, "group.by");
  }

  // --- which names of the record a text or template takes, also by `let`

  void CollectNames(const Text& text, std::set<Source>& names) const {
    for (const Piece& piece : text.pieces) {
      if (piece.placeholder) {
        CollectNames(*piece.placeholder, names);
      }
    }
  }
  void CollectNames(const Placeholder& placeholder, std::set<Source>& names) const {
    if (placeholder.source == Source::kLet) {
      if (placeholder.number < d_.lets.size()) {
        CollectNames(d_.lets[placeholder.number].second, names);
      }
    } else if (OfRecord(placeholder.source)) {
      names.insert(placeholder.source);
    }
  }
  void CollectNames(const Template& value, std::set<Source>& names) const {
    CollectNames(value.text, names);
    for (const TemplateMember& member : value.members) {
      CollectNames(member.key, names);
      CollectNames(member.value, names);
    }
    for (const Template& item : value.items) {
      CollectNames(item, names);
    }
  }
  std::set<Source> NamesOf(const std::vector<Text>& texts) const {
    std::set<Source> names;
    for (const Text& text : texts) {
      CollectNames(text, names);
    }
    return names;
  }

  bool RequireAmong(const std::set<Source>& named, const std::set<Source>& allowed, const Node& at,
                    const std::string& where) {
    const bool fine = std::includes(allowed.begin(), allowed.end(), named.begin(), named.end());
    if (!fine) {
      problems_.Error(at, "takes something of a record that " + where + " does not name",
                      {.allowed = "what " + where + " names" + (where == "split_by" ? ", or max_items 1" : "")});
    }
    return fine;
  }

  // One request has one path: what it takes from records must be one value.
  void CheckScope() {
    const std::set<Source> split = NamesOf(d_.split_by);
    std::set<std::string> told;
    for (const Slot& slot : declared_.slots) {
      std::set<Source> named;
      CollectNames(slot.placeholder, named);
      if (d_.accepts.max_items != 1 && told.insert(slot.at.pointer).second) {
        RequireAmong(named, split, slot.at, "split_by");
      }
    }
  }

  const Node& request_;
  Declared& declared_;
  CloudDefinition& d_;
  document::Problems& problems_;
  bool inside_text_ = false;  // {items} stood inside a longer text
};

}  // namespace

void ReadRequest(const document::Node& request, Declared& declared, CloudDefinition& definition,
                 document::Problems& problems) {
  RequestReader(request, declared, definition, problems).Read();
}

}  // namespace packhorse::contract
