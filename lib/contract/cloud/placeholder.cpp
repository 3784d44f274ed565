#include "contract/cloud/placeholder.h"

#include <algorithm>
#include <array>
#include <utility>

#include "document/suggest.h"

namespace packhorse::contract {
namespace {

struct NamedSource {
  std::string_view name;
  Source source;
};
constexpr std::array<NamedSource, 31> kSources = {{
    {"record_id", Source::kRecordId},
    {"sequence", Source::kSequence},
    {"kind", Source::kKind},
    {"stream", Source::kStream},
    {"device_id", Source::kDeviceId},
    {"topic", Source::kTopic},
    {"device_contract", Source::kDeviceContract},
    {"time", Source::kTime},
    {"device_time", Source::kDeviceTime},
    {"received_at", Source::kReceivedAt},
    {"fields", Source::kFields},
    {"measurements", Source::kMeasurements},
    {"attributes", Source::kAttributes},
    {"flags", Source::kFlags},
    {"record", Source::kRecord},
    {"name", Source::kName},
    {"value", Source::kValue},
    {"unit", Source::kUnit},
    {"index", Source::kIndex},
    {"gateway.id", Source::kGatewayId},
    {"gateway.attributes", Source::kGatewayAttributes},
    {"batch.id", Source::kBatchId},
    {"batch.lane", Source::kBatchLane},
    {"batch.items", Source::kBatchItems},
    {"batch.created", Source::kBatchCreated},
    {"from", Source::kFrom},
    {"to", Source::kTo},
    {"cursor", Source::kCursor},
    {"items", Source::kItems},
    {"groups", Source::kGroups},
    {"key", Source::kKey},
}};

struct NamedFilter {
  std::string_view name;
  Filter filter;
};
constexpr std::array<NamedFilter, 24> kFilters = {{
    {"json", Filter::kJson},
    {"base64", Filter::kBase64},
    {"hex", Filter::kHex},
    {"string", Filter::kString},
    {"number", Filter::kNumber},
    {"default", Filter::kDefault},
    {"required", Filter::kRequired},
    {"raw", Filter::kRaw},
    {"url", Filter::kUrl},
    {"values", Filter::kValues},
    {"numbers", Filter::kNumbers},
    {"safe", Filter::kSafe},
    {"safe_names", Filter::kSafeNames},
    {"tags", Filter::kTags},
    {"nested", Filter::kNested},
    {"lookup", Filter::kLookup},
    {"unix", Filter::kUnix},
    {"unix_s", Filter::kUnixS},
    {"unix_ms", Filter::kUnixMs},
    {"unix_us", Filter::kUnixUs},
    {"unix_ns", Filter::kUnixNs},
    {"rfc3339", Filter::kRfc3339},
    {"rfc3339_ms", Filter::kRfc3339Ms},
    {"rfc3339_s", Filter::kRfc3339S},
}};

bool IsMap(Source source) {
  return source == Source::kFields || source == Source::kMeasurements || source == Source::kAttributes ||
         source == Source::kGatewayAttributes;
}
bool IsTime(Source source) {
  return source == Source::kTime || source == Source::kDeviceTime || source == Source::kReceivedAt ||
         source == Source::kBatchCreated || source == Source::kFrom || source == Source::kTo;
}
bool TakesArgument(Filter filter) { return filter == Filter::kDefault || filter == Filter::kLookup; }
bool TakesTime(Filter filter) { return filter >= Filter::kUnix; }
bool TakesMap(Filter filter) {
  return filter == Filter::kValues || filter == Filter::kNumbers || filter == Filter::kSafeNames ||
         filter == Filter::kTags || filter == Filter::kNested;
}

bool InItems(Where where) { return where == Where::kItem || where == Where::kLine || where == Where::kGroup; }
bool IsOutside(Where where) {
  return where == Where::kEnvelope || where == Where::kConfirm || where == Where::kPath || where == Where::kQuery ||
         where == Where::kHeader;
}

bool MayBeAsked(Source source) {
  return source == Source::kGatewayId || source == Source::kSetting || source == Source::kSecret ||
         source == Source::kFrom || source == Source::kTo || source == Source::kCursor;
}

// Known without a batch: the gateway and settings.
bool OfSender(Where where) { return where == Where::kSetting || where == Where::kAuth; }

bool MayStand(Source source, Where where, const Declared& declared) {
  if (where == Where::kAsk) {
    return MayBeAsked(source);
  }
  const bool each = declared.each;
  switch (source) {
    case Source::kFrom:
    case Source::kTo:
    case Source::kCursor:
      return false;
    case Source::kKey:
      return declared.confirm;
    case Source::kName:
    case Source::kValue:
    case Source::kUnit:
      return each && (InItems(where) || where == Where::kLet);
    case Source::kIndex:
      return where == Where::kItem || where == Where::kLine;
    case Source::kItems:
    case Source::kGroups:
      return where == Where::kEnvelope || (where == Where::kGroup && source == Source::kItems);
    case Source::kItem:
      return where == Where::kEnvelope || where == Where::kLine;
    case Source::kSecret:
      return where == Where::kPath || where == Where::kQuery || where == Where::kHeader;
    case Source::kBatchItems:
      return where == Where::kEnvelope || where == Where::kHeader;
    case Source::kGatewayId:
    case Source::kGatewayAttributes:
      return where != Where::kLet && where != Where::kSplit;
    case Source::kBatchId:
    case Source::kBatchLane:
    case Source::kBatchCreated:
      return where != Where::kLet && where != Where::kSplit && !OfSender(where);
    case Source::kSetting:
      return where != Where::kSetting;
    case Source::kLet:
      return where != Where::kLet && !OfSender(where);
    default:
      return !OfSender(where);
  }
}

class Parser {
 public:
  Parser(const document::Node& at, Where where, Declared& declared, document::Problems& problems)
      : at_(at), where_(where), declared_(declared), problems_(problems) {}

  Text Parse(std::string_view text, bool needed) {
    Text parsed = Pieces(text);
    const bool alone = parsed.alone() != nullptr && !needed && where_ != Where::kPath;
    for (Piece& piece : parsed.pieces) {
      if (piece.placeholder) {
        Keep(*piece.placeholder, !alone);
      }
    }
    return parsed;
  }

 private:
  // Values that are known at another time than the text is written.
  void Keep(Placeholder& placeholder, bool needed) {
    const Source source = placeholder.source;
    const bool encoded = where_ == Where::kPath || where_ == Where::kQuery;
    if (encoded && !placeholder.filters.empty() && placeholder.filters.back().filter == Filter::kUrl) {
      placeholder.filters.pop_back();  // the place does it
    }
    if (IsOutside(where_) && OfRecord(source)) {
      placeholder.kept = static_cast<std::uint32_t>(declared_.slots.size());
      declared_.slots.push_back({placeholder, needed || placeholder.required, Here()});
    } else if (InItems(where_) && (OfRequest(source) ||
                                   (source == Source::kSetting && declared_.settings[placeholder.number].of_gateway))) {
      placeholder.kept = static_cast<std::uint32_t>(declared_.deferred.size());
      declared_.deferred.push_back(placeholder);
    }
  }

  document::Node Here() const {
    document::Node here;
    here.kind = at_.kind;
    here.text = at_.text;
    here.pointer = at_.pointer;
    here.line = at_.line;
    here.order = at_.order;
    return here;
  }

  Text Pieces(std::string_view text) {
    Text parsed;
    std::string literal;
    const auto finish = [&] {
      if (!literal.empty()) {
        parsed.pieces.push_back({std::exchange(literal, {}), std::nullopt});
      }
    };
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '{') {
        literal += text[i];
        continue;
      }
      if (i + 1 < text.size() && text[i + 1] == '{') {
        literal += '{';
        ++i;
        continue;
      }
      const std::size_t end = text.find('}', i);
      if (end == std::string_view::npos) {
        problems_.Error(at_, "a placeholder is not closed", {.allowed = "{name} or {name|filter}; {{ is a brace"});
        break;
      }
      if (std::optional<Placeholder> placeholder = One(text.substr(i + 1, end - i - 1))) {
        finish();
        parsed.pieces.push_back({"", std::move(placeholder)});
      }
      i = end;
    }
    finish();
    return parsed;
  }

  std::optional<Placeholder> One(std::string_view inside) {
    std::size_t bar = inside.find('|');
    std::optional<Placeholder> placeholder = Named(inside.substr(0, bar));
    while (bar != std::string_view::npos) {
      inside.remove_prefix(bar + 1);
      bar = inside.find('|');
      AddFilter(inside.substr(0, bar), placeholder);
    }
    if (placeholder && placeholder->source == Source::kSecret && !placeholder->filters.empty()) {
      Wrong("the secret setting " + document::Quoted(placeholder->name) + " takes no filter", "no filter", "");
    }
    return placeholder;
  }

  std::optional<Placeholder> Named(std::string_view name) {
    Placeholder placeholder;
    placeholder.name = std::string(name);
    constexpr std::string_view kSettings = "settings.";
    constexpr std::string_view kLets = "let.";
    bool known = false;
    if (name.starts_with(kSettings)) {
      const std::string_view wanted = name.substr(kSettings.size());
      const auto found = std::find_if(declared_.settings.begin(), declared_.settings.end(),
                                      [&](const Declared::Setting& each) { return each.name == wanted; });
      known = found != declared_.settings.end();
      placeholder.number = static_cast<std::uint32_t>(found - declared_.settings.begin());
      placeholder.source = known && found->secret ? Source::kSecret : Source::kSetting;
      placeholder.name = placeholder.source == Source::kSecret ? wanted : name;
    } else if (name.starts_with(kLets)) {
      const auto found = std::find(declared_.lets.begin(), declared_.lets.end(), name.substr(kLets.size()));
      known = found != declared_.lets.end();
      placeholder.number = static_cast<std::uint32_t>(found - declared_.lets.begin());
      placeholder.source = Source::kLet;
    } else if (name == "item") {
      known = true;
      placeholder.source = Source::kItem;
    } else {
      const auto* found =
          std::find_if(kSources.begin(), kSources.end(), [&](const NamedSource& each) { return each.name == name; });
      known = found != kSources.end();
      placeholder.source = known ? found->source : placeholder.source;
    }
    if (!known) {
      Wrong("unknown name " + document::Quoted(name) + " in a placeholder", document::List(NamesHere()),
            document::DidYouMean(name, NamesHere()));
      return std::nullopt;
    }
    if (name.starts_with(kSettings) && declared_.settings[placeholder.number].table) {
      Wrong(document::Quoted(name) + " is a table, and no value",
            "{NAME|lookup:" + declared_.settings[placeholder.number].name + "}", "");
      return std::nullopt;
    }
    const bool too_early = where_ == Where::kLet && placeholder.source == Source::kSetting &&
                           declared_.settings[placeholder.number].of_gateway;
    if (too_early || !MayStand(placeholder.source, where_, declared_)) {
      Wrong(document::Quoted(name) + " cannot stand here" + Why(placeholder.source), document::List(NamesHere()), "");
      return std::nullopt;
    }
    return placeholder;
  }

  std::string Why(Source source) const {
    if (source == Source::kSecret) {
      return ": it is a secret, which a path, a query or a header alone can take";
    }
    const bool measurement = source == Source::kName || source == Source::kValue || source == Source::kUnit;
    if (measurement && !declared_.each) {
      return ": only with \"each\": \"/measurements/{name}\"";
    }
    return where_ == Where::kLet ? ": what \"let\" names is rendered before the request is known" : "";
  }

  std::vector<std::string> NamesHere() const {
    std::vector<std::string> names;
    for (const auto& [name, source] : kSources) {
      if (MayStand(source, where_, declared_)) {
        names.emplace_back(name);
      }
    }
    for (const Declared::Setting& setting : declared_.settings) {
      if (!setting.table && MayStand(setting.secret ? Source::kSecret : Source::kSetting, where_, declared_)) {
        names.push_back("settings." + setting.name);
      }
    }
    if (MayStand(Source::kLet, where_, declared_)) {
      for (const std::string& let : declared_.lets) {
        names.push_back("let." + let);
      }
    }
    return names;
  }

  void AddFilter(std::string_view text, std::optional<Placeholder>& placeholder) {
    const std::size_t colon = text.find(':');
    const std::string_view name = text.substr(0, colon);
    const auto* found =
        std::find_if(kFilters.begin(), kFilters.end(), [&](const NamedFilter& each) { return each.name == name; });
    if (found == kFilters.end()) {
      std::vector<std::string> known;
      for (const NamedFilter& each : kFilters) {
        known.emplace_back(each.name);
      }
      Wrong("unknown filter " + document::Quoted(name), document::List(known), document::DidYouMean(name, known));
      return;
    }
    const std::string argument(colon == std::string_view::npos ? "" : text.substr(colon + 1));
    if ((colon != std::string_view::npos) != TakesArgument(found->filter)) {
      Wrong("the filter " + document::Quoted(name) +
                (TakesArgument(found->filter) ? " needs a value" : " takes no value"),
            "|default:VALUE, |lookup:TABLE, and all others without a value", "");
      return;
    }
    if (!placeholder) {
      return;
    }
    if (placeholder->secret_entry) {
      Wrong("what a secret table holds takes no further filter", "|lookup as the last one", "");
      return;
    }
    if (found->filter == Filter::kLookup) {
      AddLookup(argument, *placeholder);
      return;
    }
    if ((TakesTime(found->filter) && !(IsTime(placeholder->source))) ||
        (TakesMap(found->filter) && !IsMap(placeholder->source))) {
      Wrong("the filter " + document::Quoted(name) + " does not fit " + document::Quoted(placeholder->name),
            TakesTime(found->filter)
                ? "a time: time, device_time, received_at, batch.created; from and to of \"reconcile\""
                : "names and values: fields, measurements, attributes, gateway.attributes",
            "");
    }
    if (found->filter == Filter::kRequired) {
      placeholder->required = true;
    } else if (found->filter == Filter::kRaw) {
      placeholder->raw = true;
    } else {
      placeholder->filters.push_back({found->filter, argument});
    }
  }

  void AddLookup(const std::string& table, Placeholder& placeholder) {
    std::vector<std::string> tables;
    for (const Declared::Setting& setting : declared_.settings) {
      if (setting.table) {
        tables.push_back(setting.name);
      }
    }
    const auto found = std::find_if(declared_.settings.begin(), declared_.settings.end(),
                                    [&](const Declared::Setting& each) { return each.table && each.name == table; });
    if (found == declared_.settings.end()) {
      Wrong("there is no table " + document::Quoted(table),
            tables.empty() ? "a setting with \"table\": true" : document::List(tables),
            document::DidYouMean(table, tables));
    } else if (IsMap(placeholder.source) && placeholder.filters.empty()) {
      Wrong("the filter \"lookup\" does not fit " + document::Quoted(placeholder.name), "what a key can be", "");
    } else if (found->secret && !MayStand(Source::kSecret, where_, declared_)) {
      Wrong("the table " + document::Quoted(table) + " cannot stand here" + Why(Source::kSecret),
            "a table that is no secret", "");
    } else {
      placeholder.secret_entry = found->secret;
      placeholder.filters.push_back(
          {Filter::kLookup, table, static_cast<std::uint32_t>(found - declared_.settings.begin())});
    }
  }

  void Wrong(std::string message, std::string allowed, std::string suggestion) {
    problems_.Error(at_, std::move(message), {.allowed = std::move(allowed), .suggestion = std::move(suggestion)});
  }

  const document::Node& at_;
  Where where_;
  Declared& declared_;
  document::Problems& problems_;
};

}  // namespace

Text ParseText(std::string_view text, const document::Node& at, Where where, bool needed, Declared& declared,
               document::Problems& problems) {
  return Parser(at, where, declared, problems).Parse(text, needed);
}

bool OfRecord(Source source) { return source <= Source::kUnit; }
bool OfRequest(Source source) { return source >= Source::kIndex && source <= Source::kBatchCreated; }

}  // namespace packhorse::contract
