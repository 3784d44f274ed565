#include "contract/cloud/compiled_contract.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "base/text.h"
#include "contract/cloud/mapping.h"
#include "contract/cloud/parts.h"
#include "contract/cloud/record_writer.h"
#include "contract/cloud/renderer.h"
#include "contract/cloud/split_items.h"
#include "document/suggest.h"

namespace packhorse::contract {
namespace {

class CompiledContract final : public CloudContract {
 public:
  CompiledContract(std::shared_ptr<const CloudDefinition> definition, std::vector<std::optional<Text>> settings)
      : definition_(std::move(definition)), d_(*definition_), settings_(std::move(settings)) {
    for (const DefinedSetting& setting : d_.settings) {
      if (setting.rule.secret) {
        secrets_.push_back(setting.rule.name);
      }
    }
  }

  const std::string& name() const override { return d_.contract; }
  const std::string& method() const override { return d_.method; }
  const std::vector<std::string>& codings() const override { return d_.codings; }
  bool recognises_records() const override { return d_.accepts.overwrites; }
  const ResponseRules& response() const override { return d_.response; }
  const Accepts& accepts() const override { return d_.accepts; }
  const std::vector<DeclaredLimit>& limits() const override { return d_.limits; }
  bool TellsGap(std::string_view outcome) const override {
    return std::find(d_.gap_outcomes.begin(), d_.gap_outcomes.end(), outcome) != d_.gap_outcomes.end();
  }
  const std::vector<std::string>& secrets() const override { return secrets_; }
  std::vector<std::string> HeaderNames() const override;

  RenderedRecord RenderRecord(const CanonicalRecord& record) const override {
    return RecordWriter(d_, settings_).Write(record);
  }
  Rendered RenderBatch(const BatchHeader& header, std::span<const RenderedRecord> records) const override;
  Headers RequestHeaders(const BatchHeader& header) const override;
  Result<std::vector<std::string>> Items(std::string_view items) const override;
  std::uint64_t EnvelopeBytes(const BatchHeader& header) const override;
  const ReconcileRules* reconcile() const override { return d_.reconcile ? &d_.reconcile->rules : nullptr; }
  ReconcileRequest RenderReconcile(const ReconcileQuestion& question) const override;

  // Whether paths and headers can be made of the settings that there are.
  Status Check() const;

 private:
  struct Request {
    const BatchHeader& header;
    std::span<const RenderedRecord> records;
    std::size_t items = 0;
    std::vector<Datum> slots = {};
    std::size_t written = 0;  // items so far
    std::size_t begin = 0;
    std::size_t end = 0;
  };

  using Query = std::vector<std::pair<Text, Text>>;
  using HeaderTexts = std::vector<std::pair<std::string, Text>>;
  // `of`: what of the contract, for messages.
  Status CheckTarget(const Text& path, const Query& query, const HeaderTexts& headers, const Scope& scope,
                     const std::string& of) const;
  static std::string Path(const Text& path, const Query& query, Renderer& renderer);
  // False and a fault of `renderer`: the header cannot be written. Nothing where its value is missing.
  static bool AddHeader(const std::string& name, const Text& value, Renderer& renderer, Headers& headers);
  std::string Body(Request& request) const;
  void AppendAllItems(std::string& out, Request& request) const;
  void AppendGroups(std::string& out, Request& request) const;
  void AppendOne(std::string& out, std::string_view item, Request& request) const;
  void Fill(std::string& out, char kind, std::uint32_t number, Request& request) const;
  std::string_view Separator() const;

  std::shared_ptr<const CloudDefinition> definition_;
  const CloudDefinition& d_;
  std::vector<std::optional<Text>> settings_;
  std::vector<std::string> secrets_;
};

std::vector<std::string> CompiledContract::HeaderNames() const {
  std::vector<std::string> names;
  for (const auto& [name, value] : d_.headers) {
    names.push_back(Lower(name));
  }
  return names;
}

std::string_view CompiledContract::Separator() const {
  switch (d_.body) {
    case BodyKind::kJson:
    case BodyKind::kOtlp:
      return ",";
    case BodyKind::kText:
      return d_.join;
    default:
      return "";
  }
}

void CompiledContract::Fill(std::string& out, char kind, std::uint32_t number, Request& request) const {
  if (number >= d_.deferred.size()) {
    return;
  }
  Scope scope;
  scope.batch = &request.header;
  scope.items = request.items;
  scope.index = request.written;
  scope.slots = request.slots;
  Renderer renderer(d_, settings_, scope);
  const Datum value = renderer.ValueOf(d_.deferred[number]);
  if (kind == 'v') {
    if (IsMissing(value) || !AppendJson(out, value, d_.style)) {
      out += "null";
    }
    return;
  }
  std::string text;
  if (AppendText(text, value, d_.style)) {
    (kind == 'r' ? AppendPlain : EscapeOf(d_))(out, text);
  }
}

void CompiledContract::AppendOne(std::string& out, std::string_view item, Request& request) const {
  if (d_.deferred.empty()) {
    out += item;
  } else {
    ReplaceMarks(out, item, [&](std::string& to, char kind, std::uint32_t number) { Fill(to, kind, number, request); });
  }
  ++request.written;
}

// Calls `each` with every item and the number of its record.
template <typename Each>
void ForEachItem(std::span<const RenderedRecord> records, Each each) {
  for (const RenderedRecord& record : records) {
    if (record.fate != RenderedRecord::Fate::kItems) {
      continue;
    }
    if (record.item_ends.empty()) {
      each(record, std::size_t{0}, std::string_view(record.text));
      continue;
    }
    std::size_t begin = 0;
    for (std::size_t i = 0; i < record.item_ends.size(); ++i) {
      const std::size_t end = record.item_ends[i];
      each(record, i, std::string_view(record.text).substr(begin, end - begin));
      begin = end;
    }
  }
}

void CompiledContract::AppendAllItems(std::string& out, Request& request) const {
  const std::string_view separator = Separator();
  bool first = true;
  ForEachItem(request.records, [&](const RenderedRecord&, std::size_t, std::string_view item) {
    out += first ? std::string_view() : separator;
    first = false;
    AppendOne(out, item, request);
  });
}

void CompiledContract::AppendGroups(std::string& out, Request& request) const {
  std::unordered_map<std::string_view, std::size_t> known;
  std::vector<std::pair<std::string_view, std::vector<std::string_view>>> groups;
  ForEachItem(request.records, [&](const RenderedRecord& record, std::size_t i, std::string_view item) {
    const std::string_view group = i < record.groups.size() ? std::string_view(record.groups[i]) : std::string_view();
    const auto [at, added] = known.emplace(group, groups.size());
    if (added) {
      groups.push_back({group, {}});
    }
    groups[at->second].second.push_back(item);
  });
  bool first = true;
  for (const auto& entry : groups) {
    const std::string_view group = entry.first;
    const auto& items = entry.second;
    out += first ? "" : ",";
    first = false;
    ReplaceMarks(out, group.substr(0, group.find(kGroupEnd)), [&](std::string& to, char kind, std::uint32_t number) {
      if (kind != kGroupMark) {
        Fill(to, kind, number, request);
        return;
      }
      char separator = '[';
      for (const std::string_view item : items) {
        to += separator;
        separator = ',';
        AppendOne(to, item, request);
      }
      to += ']';
    });
  }
}

std::string CompiledContract::Body(Request& request) const {
  std::string out;
  std::size_t bytes = 1024;
  for (const RenderedRecord& record : request.records) {
    bytes += record.text.size() + Separator().size() * record.items();
  }
  out.reserve(bytes);
  const bool bare = d_.accepts.max_items == 1 && d_.envelope.kind == Template::Kind::kText &&
                    d_.envelope.text.alone() != nullptr && d_.envelope.text.alone()->source == Source::kItem;
  const bool listed = d_.body == BodyKind::kJson && !bare;
  const std::function<void(std::string&)> items = [&](std::string& to) {
    to += listed ? "[" : "";
    request.begin = to.size();
    d_.group_as ? AppendGroups(to, request) : AppendAllItems(to, request);
    request.end = to.size();
    to += listed ? "]" : "";
  };
  Scope scope;
  scope.batch = &request.header;
  scope.items = request.items;
  scope.slots = request.slots;
  scope.body = &items;
  Renderer renderer(d_, settings_, scope);
  switch (d_.body) {
    case BodyKind::kJson:
      renderer.Json(d_.envelope, out);
      break;
    case BodyKind::kText:
      for (const Piece& piece : d_.text_envelope.pieces) {
        const bool here = piece.placeholder && piece.placeholder->source == Source::kItems;
        here ? items(out) : static_cast<void>(renderer.Write(Text{{piece}}, out, EscapeOf(d_)));
      }
      break;
    case BodyKind::kNdjson:
      items(out);
      break;
    default:
      AppendHeadOfMapped(d_, renderer, out);
      items(out);
      out += TailOfMapped(d_);
      break;
  }
  return out;
}

std::string CompiledContract::Path(const Text& written, const Query& query, Renderer& renderer) {
  std::string path;
  renderer.Write(written, path, AppendPath);
  char separator = path.find('?') == std::string::npos ? '?' : '&';
  for (const auto& [name, value] : query) {
    std::string pair;
    renderer.Write(name, pair, AppendQuery);
    pair += '=';
    const Placeholder* alone = value.alone();
    if (alone != nullptr && alone->source != Source::kSecret && IsMissing(renderer.ValueOf(*alone))) {
      continue;
    }
    renderer.Write(value, pair, AppendQuery);
    path += separator;
    path += pair;
    separator = '&';
  }
  return path;
}

Rendered CompiledContract::RenderBatch(const BatchHeader& header, std::span<const RenderedRecord> records) const {
  Request request{header, records};
  for (const RenderedRecord& record : records) {
    request.items += record.items();
  }
  request.slots = PartsOf(header.part, d_.slots.size());
  Rendered rendered;
  rendered.body = Body(request);
  rendered.items_begin = request.begin;
  rendered.items_end = request.end;
  Scope scope;
  scope.batch = &header;
  scope.items = request.items;
  scope.slots = request.slots;
  Renderer renderer(d_, settings_, scope);
  rendered.path = Path(d_.path, d_.query, renderer);
  if (d_.content_type) {
    renderer.Write(*d_.content_type, rendered.content_type, AppendHeader);
  }
  return rendered;
}

Headers CompiledContract::RequestHeaders(const BatchHeader& header) const {
  Scope scope;
  scope.batch = &header;
  const std::vector<Datum> slots = PartsOf(header.part, d_.slots.size());
  scope.slots = slots;
  Headers headers;
  for (const auto& [name, value] : d_.headers) {
    Renderer renderer(d_, settings_, scope);
    AddHeader(name, value, renderer, headers);
  }
  return headers;
}

bool CompiledContract::AddHeader(const std::string& name, const Text& value, Renderer& renderer, Headers& headers) {
  const Placeholder* alone = value.alone();
  if (alone != nullptr && alone->source != Source::kSecret && IsMissing(renderer.ValueOf(*alone))) {
    return true;
  }
  std::string text;
  if (!renderer.Write(value, text, AppendHeader)) {
    return false;
  }
  headers.emplace_back(name, std::move(text));
  return true;
}

ReconcileRequest CompiledContract::RenderReconcile(const ReconcileQuestion& question) const {
  Scope scope;
  scope.batch = &question.gateway;
  scope.question = &question;
  Renderer path(d_, settings_, scope);
  ReconcileRequest request{Path(d_.reconcile->path, d_.reconcile->query, path), {}};
  for (const auto& [name, value] : d_.reconcile->headers) {
    Renderer renderer(d_, settings_, scope);
    AddHeader(name, value, renderer, request.headers);
  }
  return request;
}

Result<std::vector<std::string>> CompiledContract::Items(std::string_view items) const {
  const bool of_batch = std::any_of(d_.deferred.begin(), d_.deferred.end(), [](const Placeholder& each) {
    return each.source == Source::kIndex || (each.source >= Source::kBatchId && each.source <= Source::kBatchCreated);
  });
  if (d_.group_as || of_batch || d_.body == BodyKind::kText) {
    return Error{ErrorCode::kUnsupported, "a body of " + d_.contract + " cannot be cut into its items"};
  }
  return SplitItems(d_, items);
}

std::uint64_t CompiledContract::EnvelopeBytes(const BatchHeader& header) const {
  Request request{header, {}};
  request.items = d_.accepts.max_items;
  request.written = d_.accepts.max_items;
  request.slots = PartsOf(header.part, d_.slots.size());
  std::uint64_t per_item = Separator().size();
  for (std::uint32_t i = 0; i < d_.deferred.size(); ++i) {
    std::string value;
    Fill(value, 'v', i, request);
    per_item += value.size();
  }
  return Body(request).size() + per_item * d_.accepts.max_items;
}

Status CompiledContract::CheckTarget(const Text& path, const Query& query, const HeaderTexts& headers,
                                     const Scope& scope, const std::string& of) const {
  const auto bad = [&](const std::string& where, const std::string& fault) {
    return Error{ErrorCode::kInvalidArgument, d_.contract + ": " + where + of + fault};
  };
  Renderer renderer(d_, settings_, scope);
  const std::string target = Path(path, query, renderer);
  if (!renderer.fault().empty()) {
    return bad("the path", ": " + renderer.fault());
  }
  if (target.empty() || target.front() != '/') {
    return bad("the path", " must start with '/'");
  }
  for (const auto& [name, value] : headers) {
    Renderer each(d_, settings_, scope);
    Headers written;
    if (!AddHeader(name, value, each, written)) {
      return bad("the header " + name, ": " + each.fault());
    }
  }
  return {};
}

Status CompiledContract::Check() const {
  ReconcileQuestion question;
  question.gateway.batch_id = "b";
  question.gateway.gateway_id = "g";
  question.cursor = "c";
  const std::vector<Datum> slots(d_.slots.size(), Datum(std::string_view("x")));
  Scope scope;
  scope.batch = &question.gateway;
  scope.slots = slots;
  RETURN_IF_ERROR(CheckTarget(d_.path, d_.query, d_.headers, scope, ""));
  scope.question = &question;
  return d_.reconcile
             ? CheckTarget(d_.reconcile->path, d_.reconcile->query, d_.reconcile->headers, scope, " of \"reconcile\"")
             : Status();
}

}  // namespace

Result<std::shared_ptr<const CloudContract>> MakeCloudContract(std::shared_ptr<const CloudDefinition> definition,
                                                               const SettingValues& settings) {
  std::vector<std::string> names;
  std::vector<std::string> wrong;
  std::vector<std::optional<Text>> values;
  for (const DefinedSetting& setting : definition->settings) {
    names.push_back(setting.rule.name);
    const auto given = settings.find(setting.rule.name);
    std::optional<Text> value = setting.value;
    if (given != settings.end()) {
      if (setting.rule.secret) {
        wrong.push_back("\"" + setting.rule.name + "\" is a secret: give it as a secret, not as text");
      }
      value = Text{{Piece{given->second, std::nullopt}}};
    } else if (setting.rule.required && !setting.rule.secret) {
      wrong.push_back("\"" + setting.rule.name + "\" is missing");
    }
    values.push_back(std::move(value));
  }
  for (const auto& [name, value] : settings) {
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      const std::string meant = document::DidYouMean(name, names);
      wrong.push_back(document::Quoted(name) + " is unknown" + (meant.empty() ? "" : ", " + meant));
    }
  }
  if (!wrong.empty()) {
    return Error{ErrorCode::kInvalidArgument,
                 "settings of " + definition->contract + ": " + Join(wrong, "; ") +
                     (names.empty() ? "; it has none" : "; it has: " + document::List(names))};
  }
  auto contract = std::make_shared<CompiledContract>(std::move(definition), std::move(values));
  RETURN_IF_ERROR(contract->Check());
  return std::shared_ptr<const CloudContract>(std::move(contract));
}

}  // namespace packhorse::contract
