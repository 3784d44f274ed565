#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "contract/cloud/datum.h"
#include "document/document.h"
#include "document/problems.h"

namespace packhorse::contract {

// Texts with placeholders, contracts.md "One placeholder syntax everywhere": `{name|filter:arg|...}`, `{{` is a brace.

enum class Source : std::uint8_t {
  // of a record
  kRecordId,
  kSequence,
  kKind,
  kStream,
  kDeviceId,
  kTopic,
  kDeviceContract,
  kTime,
  kDeviceTime,
  kReceivedAt,
  kFields,
  kMeasurements,
  kAttributes,
  kFlags,
  kRecord,
  kLet,
  // of a measurement, below `each`
  kName,
  kValue,
  kUnit,
  // of the request
  kIndex,
  kGatewayId,
  kGatewayAttributes,
  kBatchId,
  kBatchLane,
  kBatchItems,
  kBatchCreated,
  kSetting,
  kSecret,
  // of the question what the API has
  kFrom,
  kTo,
  kCursor,
  // in bodies alone
  kItems,
  kGroups,
  kItem,
  // in the request of `confirm` alone
  kKey,
};

enum class Filter : std::uint8_t {
  kJson,
  kBase64,
  kHex,
  kString,
  kNumber,
  kDefault,
  kRequired,
  kRaw,
  kUrl,
  kValues,
  kNumbers,
  kSafe,
  kSafeNames,
  kTags,
  kNested,
  kLookup,
  kUnix,
  kUnixS,
  kUnixMs,
  kUnixUs,
  kUnixNs,
  kRfc3339,
  kRfc3339Ms,
  kRfc3339S,
};

struct AppliedFilter {
  Filter filter = Filter::kJson;
  std::string argument;      // kDefault, "null" is null; kLookup: the table's name
  std::uint32_t number = 0;  // kLookup: which setting the table is
};

struct Placeholder {
  Source source = Source::kRecordId;
  std::uint32_t number = 0;  // kLet, kSetting: which one
  std::string name;          // as it is written, for messages; of a secret the secret's own
  std::vector<AppliedFilter> filters;
  bool required = false;
  bool raw = false;           // not escaped for its place
  bool secret_entry = false;  // its value is the name of an entry of a secret table
  // Outside the items: which Declared::slots. In items: which Declared::deferred.
  std::optional<std::uint32_t> kept;
};

// A literal, or a placeholder.
struct Piece {
  std::string literal;
  std::optional<Placeholder> placeholder;
};

struct Text {
  std::vector<Piece> pieces;

  // The placeholder that is the whole text, or null.
  const Placeholder* alone() const {
    return pieces.size() == 1 && pieces[0].placeholder ? &*pieces[0].placeholder : nullptr;
  }
  bool constant() const { return pieces.empty() || (pieces.size() == 1 && !pieces[0].placeholder); }
};

// Where a text stands: what it may name.
enum class Where : std::uint8_t {
  kItem,      // item, a mapping of a writer, group.by
  kLine,      // a line of an item: also {item}
  kGroup,     // group.as: also {items}
  kLet,       // rendered before the request is known
  kSplit,     // split_by
  kEnvelope,  // around the items
  kConfirm,   // body of the request of `confirm`
  kPath,
  kQuery,
  kHeader,
  kAsk,      // path, query and headers of `reconcile`
  kSetting,  // default of a setting: what the gateway is called
  kAuth,     // parameter of a scheme
};

// A value of a record that is needed outside the items.
struct Slot {
  Placeholder placeholder;
  bool needed = false;  // without it there is no request
  document::Node at;    // where it was first seen, for messages
};

// Names that a contract declares, and what its placeholders are found to need.
struct Declared {
  struct Setting {
    std::string name;
    bool secret = false;
    bool of_gateway = false;  // its default names the gateway: known only when a request is made
    bool table = false;
  };
  std::vector<Setting> settings;
  std::vector<std::string> lets;
  bool each = false;
  bool confirm = false;  // texts of the request of `confirm`: {key}
  std::vector<Slot> slots;
  std::vector<Placeholder> deferred;  // in items, known only when a request is made
};

// The text of a node, or of a member's name (`text`, placed at `at`). A mistake is a problem there; what was understood
// is returned. `needed`: without its value there is no item, or no request.
Text ParseText(std::string_view text, const document::Node& at, Where where, bool needed, Declared& declared,
               document::Problems& problems);

// Whether the placeholder is the record's, so that outside the items only split_by or max_items 1 makes it one value.
bool OfRecord(Source source);
// Whether it is known only when a request is made.
bool OfRequest(Source source);

}  // namespace packhorse::contract
