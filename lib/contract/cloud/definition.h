#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "contract/cloud/json_template.h"
#include "contract/cloud/placeholder.h"
#include "contract/cloud/response_rules.h"
#include "contract/cloud_contract.h"
#include "contract/lookup_table.h"
#include "document/document.h"

namespace packhorse::contract {

// A cloud contract as its file says it, checked and compiled, without the values of its settings. Plain values,
// immutable once read; any thread.

struct DefinedSetting {
  SettingRule rule;
  std::optional<Text> value;                 // the default; none: required, or missing where `rule.required` is false
  std::shared_ptr<const LookupTable> table;  // likewise, of a table
};

// Names and values of a line or a metric: written ones, and maps whose members come beside them.
struct Pairs {
  std::vector<std::pair<Text, Text>> written;
  std::vector<Placeholder> merged;
};

// Body of `line_protocol`, `otlp` and `remote_write`.
struct Mapping {
  Text name;   // measurement, name of a metric; remote_write: none, it is the label __name__
  Text unit;   // otlp
  Text scope;  // otlp
  Text value;  // otlp, remote_write
  Text time;
  Pairs tags;             // tags, attributes, labels
  Pairs fields;           // line_protocol
  Pairs resource;         // otlp
  bool integers = false;  // line_protocol: whole numbers as 21i
};

enum class BodyKind : std::uint8_t { kJson, kNdjson, kText, kLineProtocol, kOtlp, kRemoteWrite };
enum class Escape : std::uint8_t { kNone, kJson, kXml };
enum class ClockOfTime : std::uint8_t { kReceived, kDevice, kDeviceOrReceived };
enum class OnUnfit : std::uint8_t { kDeadLetter, kSkip, kWait };

struct ReconcileDefinition {
  Text path;
  std::vector<std::pair<Text, Text>> query;
  std::vector<std::pair<std::string, Text>> headers;
  ReconcileRules rules;
};

// `auth`: a scheme and its parameters.
struct DefinedAuth {
  std::string scheme;  // empty: the destination says it
  std::vector<std::pair<std::string, Text>> parameters;
};

// The request that asks whether a batch is stored.
struct ConfirmDefinition {
  Confirmation how;
  std::string method;
  Text path;
  std::vector<std::pair<Text, Text>> query;
  std::vector<std::pair<std::string, Text>> headers;
  std::optional<Template> body;  // JSON
};

struct CloudDefinition {
  std::string contract;  // name@major.minor
  std::string title;
  std::string description;
  std::vector<DefinedSetting> settings;
  DefinedAuth auth;

  std::string method;
  Text path;
  std::vector<std::pair<Text, Text>> query;
  std::vector<std::pair<std::string, Text>> headers;  // without Content-Type
  std::optional<Text> content_type;
  std::vector<std::string> codings;

  BodyKind body = BodyKind::kJson;
  JsonStyle style;
  Template envelope;   // kJson
  Text text_envelope;  // kText
  std::string join;    // kText
  Escape escape = Escape::kJson;
  std::vector<Template> lines;  // kNdjson
  Template item;                // kJson, kNdjson
  Text text_item;               // kText
  bool item_is_record = false;  // `{record}` and nothing else
  bool spread_groups = false;   // the members of all groups are members of one object
  Mapping mapping;

  std::vector<std::pair<std::string, Template>> lets;
  bool each = false;  // an item for each measurement
  std::vector<Text> split_by;
  std::vector<Text> group_by;
  std::optional<Template> group_as;
  std::vector<Slot> slots;
  std::vector<Placeholder> deferred;

  ClockOfTime time = ClockOfTime::kReceived;
  std::uint32_t kinds = ~0U;  // bit of each RecordKind
  Accepts accepts;
  std::uint64_t max_item_bytes = 0;  // 0: no limit
  OnUnfit unfit = OnUnfit::kDeadLetter;
  std::vector<DeclaredLimit> limits;
  std::vector<std::string> gap_outcomes;
  ResponseRules response;
  std::optional<ReconcileDefinition> reconcile;
  std::optional<ConfirmDefinition> confirm;
};

}  // namespace packhorse::contract
