#include "contract/cloud/compiled_contract.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>

#include "base/text.h"
#include "contract/cloud/fill_settings.h"
#include "contract/cloud/mapping.h"
#include "contract/cloud/parts.h"
#include "contract/cloud/record_writer.h"
#include "contract/cloud/renderer.h"
#include "contract/cloud/request_head.h"
#include "contract/cloud/split_items.h"

namespace packhorse::contract {
namespace {

class CompiledContract final : public CloudContract {
 public:
  CompiledContract(std::shared_ptr<const CloudDefinition> definition, FilledSettings settings)
      : definition_(std::move(definition)), d_(*definition_), settings_(std::move(settings)) {
    for (std::size_t i = 0; i < d_.settings.size(); ++i) {
      const SettingRule& rule = d_.settings[i].rule;
      if (rule.secret && !rule.table) {
        secrets_.push_back(rule.name);
      } else if (rule.secret && settings_[i].table != nullptr) {
        for (const auto& [key, value] : settings_[i].table->entries) {
          secret_entries_.emplace(SecretEntryName(rule.name, key), &value.text);
        }
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
  RequestAuth Auth(const BatchHeader& sender) const override;
  const std::vector<std::string>& secrets() const override { return secrets_; }
  const std::string* SecretEntry(std::string_view name) const override {
    const auto found = secret_entries_.find(name);
    return found == secret_entries_.end() ? nullptr : found->second;
  }
  std::vector<std::string> HeaderNames() const override;

  RenderedRecord RenderRecord(const CanonicalRecord& record) const override {
    return RecordWriter(d_, settings_, false).Write(record);
  }
  RenderedRecord RenderAsReceived(const CanonicalRecord& record) const override {
    return RecordWriter(d_, settings_, true).Write(record);
  }
  std::optional<WallTime> TimeOf(const CanonicalRecord& record) const override;
  Rendered RenderBatch(const BatchHeader& header, std::span<const RenderedRecord> records) const override;
  Headers RequestHeaders(const BatchHeader& header) const override;
  const Confirmation* confirmation() const override { return d_.confirm ? &d_.confirm->how : nullptr; }
  Result<ConfirmRequest> RenderConfirmation(const BatchHeader& header, const ConfirmKey& key) const override;
  Result<std::vector<std::string>> Items(std::string_view items) const override;
  std::uint64_t EnvelopeBytes(const BatchHeader& header) const override;
  const ReconcileRules* reconcile() const override { return d_.reconcile ? &d_.reconcile->rules : nullptr; }
  ReconcileRequest RenderReconcile(const ReconcileQuestion& question) const override;

  // Whether paths and headers can be made of the settings that there are, for any gateway.
  Status Check() const;
  Status CheckSender(const BatchHeader& sender) const override { return CheckBy(sender, true); }

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

  // `of`: what of the contract, for messages.
  Status CheckTarget(const Text& path, const QueryTexts& query, const HeaderTexts& headers, const Scope& scope,
                     const std::string& of) const;
  // Of `auth`; none where it is one setting that is left out. An error says what is missing, or cannot stand there.
  Result<std::optional<std::string>> Parameter(const Text& text, const Scope& scope) const;
  // The second request of `confirm`.
  Result<ConfirmRequest> Second(const Scope& scope) const;
  Status CheckBy(const BatchHeader& sender, bool known) const;
  Headers HeadersOf(const HeaderTexts& texts, const Scope& scope) const;
  std::string Body(Request& request) const;
  void AppendAllItems(std::string& out, Request& request) const;
  void AppendGroups(std::string& out, Request& request) const;
  void AppendOne(std::string& out, std::string_view item, Request& request) const;
  void Fill(std::string& out, char kind, std::uint32_t number, Request& request) const;
  std::string_view Separator() const;

  std::shared_ptr<const CloudDefinition> definition_;
  const CloudDefinition& d_;
  FilledSettings settings_;
  std::vector<std::string> secrets_;
  std::map<std::string, const std::string*, std::less<>> secret_entries_;  // in settings_
};

std::vector<std::string> CompiledContract::HeaderNames() const {
  std::vector<std::string> names;
  const auto add = [&](const HeaderTexts& headers) {
    for (const auto& [name, value] : headers) {
      const std::string lower = Lower(name);
      if (lower != "content-type" && std::find(names.begin(), names.end(), lower) == names.end()) {
        names.push_back(lower);
      }
    }
  };
  add(d_.headers);
  if (d_.confirm) {
    add(d_.confirm->headers);
  }
  if (d_.reconcile) {
    add(d_.reconcile->headers);
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
      each(record, std::size_t{0}, record.text.view());
      continue;
    }
    std::size_t begin = 0;
    for (std::size_t i = 0; i < record.item_ends.size(); ++i) {
      const std::size_t end = record.item_ends[i];
      each(record, i, record.text.view().substr(begin, end - begin));
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
    std::string_view group = entry.first.substr(0, entry.first.find(kGroupEnd));
    const auto& items = entry.second;
    out += first ? "" : ",";
    first = false;
    if (d_.spread_groups) {  // the members of an object
      group = group.substr(1, group.size() - 2);
    }
    ReplaceMarks(out, group, [&](std::string& to, char kind, std::uint32_t number) {
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
  const bool listed = d_.body == BodyKind::kJson && !bare && !d_.spread_groups;
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
        here ? items(out) : static_cast<void>(renderer.Write(piece, out, EscapeOf(d_)));
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

std::optional<WallTime> CompiledContract::TimeOf(const CanonicalRecord& record) const {
  const std::optional<Instant> time = TimeBy(d_.time, record);
  return time ? std::optional(ToWall(*time)) : std::nullopt;
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
  rendered.path = WriteTarget(renderer, d_.path, d_.query);
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
  return HeadersOf(d_.headers, scope);
}

Headers CompiledContract::HeadersOf(const HeaderTexts& texts, const Scope& scope) const {
  Headers headers;
  for (const auto& [name, value] : texts) {
    Renderer renderer(d_, settings_, scope);
    WriteHeader(renderer, name, value, headers);
  }
  return headers;
}

ReconcileRequest CompiledContract::RenderReconcile(const ReconcileQuestion& question) const {
  Scope scope;
  scope.batch = &question.gateway;
  scope.question = &question;
  Renderer renderer(d_, settings_, scope);
  return {WriteTarget(renderer, d_.reconcile->path, d_.reconcile->query), HeadersOf(d_.reconcile->headers, scope)};
}

Result<std::optional<std::string>> CompiledContract::Parameter(const Text& text, const Scope& scope) const {
  Renderer renderer(d_, settings_, scope);
  const Placeholder* alone = text.alone();
  if (alone != nullptr && IsMissing(renderer.ValueOf(*alone))) {
    return std::optional<std::string>();
  }
  std::string out;
  for (const Piece& piece : text.pieces) {
    const std::size_t before = out.size();
    if (!renderer.Write(piece, out, AppendPlain)) {
      return Error{ErrorCode::kInvalidArgument, renderer.fault()};
    }
    // The scheme has placeholders of its own.
    if (piece.placeholder && out.find_first_of("{}", before) != std::string::npos) {
      return Error{ErrorCode::kInvalidArgument, "the value of {" + piece.placeholder->name + "} has a brace in it"};
    }
  }
  return std::optional(std::move(out));
}

RequestAuth CompiledContract::Auth(const BatchHeader& sender) const {
  RequestAuth auth;
  auth.scheme = d_.auth.scheme;
  for (const auto& [name, text] : d_.auth.parameters) {
    Scope scope;
    scope.batch = &sender;
    const Result<std::optional<std::string>> value = Parameter(text, scope);
    if (value && *value) {
      auth.parameters.emplace(name, **value);
    }
  }
  return auth;
}

Result<ConfirmRequest> CompiledContract::RenderConfirmation(const BatchHeader& header, const ConfirmKey& key) const {
  if (!d_.confirm) {
    return Error{ErrorCode::kUnsupported, d_.contract + " confirms nothing"};
  }
  const std::vector<Datum> slots = PartsOf(header.part, d_.slots.size());
  Scope scope;
  scope.batch = &header;
  scope.slots = slots;
  scope.key = &key;
  return Second(scope);
}

Result<ConfirmRequest> CompiledContract::Second(const Scope& scope) const {
  const ConfirmDefinition& confirm = *d_.confirm;
  Renderer renderer(d_, settings_, scope);
  ConfirmRequest request;
  request.method = confirm.method;
  request.path = WriteTarget(renderer, confirm.path, confirm.query);
  request.headers = HeadersOf(confirm.headers, scope);
  if (confirm.body) {
    renderer.Json(*confirm.body, request.body);
  }
  if (!renderer.fault().empty() || !request.path.starts_with('/')) {
    return Error{ErrorCode::kInvalidArgument,
                 d_.contract + ": the request of confirm: " +
                     (renderer.fault().empty() ? "its path does not start with '/'" : renderer.fault())};
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

Status CompiledContract::CheckTarget(const Text& path, const QueryTexts& query, const HeaderTexts& headers,
                                     const Scope& scope, const std::string& of) const {
  const auto bad = [&](const std::string& where, const std::string& fault) {
    return Error{ErrorCode::kInvalidArgument, d_.contract + ": " + where + of + fault};
  };
  Renderer renderer(d_, settings_, scope);
  const std::string target = WriteTarget(renderer, path, query);
  if (!renderer.fault().empty()) {
    return bad("the path", ": " + renderer.fault());
  }
  if (target.empty() || target.front() != '/') {
    return bad("the path", " must start with '/'");
  }
  for (const auto& [name, value] : headers) {
    Renderer each(d_, settings_, scope);
    Headers written;
    if (!WriteHeader(each, name, value, written)) {
      return bad("the header " + name, ": " + each.fault());
    }
  }
  return {};
}

Status CompiledContract::Check() const {
  BatchHeader sender;
  sender.gateway_id = "g";
  return CheckBy(sender, false);
}

Status CompiledContract::CheckBy(const BatchHeader& sender, bool known) const {
  ReconcileQuestion question;
  question.gateway = sender;
  question.gateway.batch_id = "b";
  question.cursor = "c";
  const std::vector<Datum> slots(d_.slots.size(), Datum(std::string_view("x")));
  Scope scope;
  scope.batch = &question.gateway;
  scope.slots = slots;
  scope.invented = true;
  scope.of_gateway = known;
  RETURN_IF_ERROR(CheckTarget(d_.path, d_.query, d_.headers, scope, ""));
  for (const auto& [name, text] : d_.auth.parameters) {
    if (const auto value = Parameter(text, scope); !value) {
      return value.error().With(d_.contract + ": auth: " + name);
    }
  }
  if (d_.confirm) {
    const ConfirmKey key{"/k"};
    Scope of_key = scope;
    of_key.key = &key;
    RETURN_IF_ERROR(Second(of_key));
  }
  scope.question = &question;
  return d_.reconcile
             ? CheckTarget(d_.reconcile->path, d_.reconcile->query, d_.reconcile->headers, scope, " of \"reconcile\"")
             : Status();
}

}  // namespace

Result<std::shared_ptr<const CloudContract>> MakeCloudContract(std::shared_ptr<const CloudDefinition> definition,
                                                               const SettingValues& settings,
                                                               const LookupTables& tables) {
  Result<FilledSettings> values = FillSettings(*definition, settings, tables);
  RETURN_IF_ERROR(values);
  auto contract = std::make_shared<CompiledContract>(std::move(definition), *std::move(values));
  RETURN_IF_ERROR(contract->Check());
  return std::shared_ptr<const CloudContract>(std::move(contract));
}

}  // namespace packhorse::contract
