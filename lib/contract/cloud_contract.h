#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "contract/cloud/response_rules.h"
#include "contract/item_text.h"
#include "record/canonical_record.h"

namespace packhorse::contract {

using Headers = std::vector<std::pair<std::string, std::string>>;

// What a batch is called on the wire.
struct BatchHeader {
  std::string batch_id;  // the idempotency key
  Lane lane = Lane::kNormal;
  std::string gateway_id;
  std::map<std::string, std::string> gateway_attributes;
  WallTime created_at{};
  std::string part;  // RenderedRecord::part of its records
};

// One record as the API gets it. Items are what the API counts: one, or one for each measurement (`each`).
struct RenderedRecord {
  enum class Fate : std::uint8_t {
    kItems,       // it has at least one item
    kSkipped,     // the API does not take records of this kind, or the contract skips what is unfit
    kDeadLetter,  // unfit: nothing of it can be written as the API wants it
    kWait,        // unfit, and the contract wants it kept until the contract is mended
    kHeld,        // its time is not taken, and its lane is to wait: no contract says so by itself
  };
  Fate fate = Fate::kItems;
  ItemText text;                         // the items, one after the other
  std::vector<std::uint32_t> item_ends;  // in `text`; empty: one item
  std::vector<std::string> groups;       // of each item; empty: the contract does not group
  std::string part;                      // records of one part share a request; empty where the contract has one part
  std::string_view contract;             // its name, noted by whoever renders by several; they share no request
  std::uint32_t unfit_items = 0;         // left out
  std::string reason;  // not kItems, or unfit_items: "kind", "missing_value", "too_large", "too_many_items",
                       // "unfit_path"
  std::string detail;  // for people: which member, what is missing
  // TimeOf() its record and how old that is, measured: set by who asks for it, no contract looks at them.
  std::optional<WallTime> time = {};
  std::optional<std::chrono::microseconds> age = {};

  std::uint32_t items() const {
    return fate != Fate::kItems ? 0 : item_ends.empty() ? 1U : static_cast<std::uint32_t>(item_ends.size());
  }
};

struct Rendered {
  std::string path;  // below the destination's base URL, starting with '/', with its query; secrets are marks
  std::string content_type;
  std::string body;  // not compressed
  // Where the items lie in the body: Items() cuts them out again.
  std::size_t items_begin = 0;
  std::size_t items_end = 0;
};

// How the outcome of records that lie outside the acceptance window is decided (contracts.md, `outside`).
enum class Outside : std::uint8_t { kDropAndReport, kSendWithReceivedTime, kHold };

// Which order of records the API keeps or needs. kTime: within a request, the oldest first.
enum class Order : std::uint8_t { kAny, kDevice, kTime };

// What the API takes.
struct Accepts {
  std::uint32_t max_items = 0;       // of one request
  std::uint64_t max_bytes = 0;       // of one request, not compressed
  std::uint64_t max_sent_bytes = 0;  // of one request, as sent; 0: no limit
  std::optional<std::chrono::milliseconds> oldest;
  std::optional<std::chrono::milliseconds> newest;
  Outside outside = Outside::kDropAndReport;
  Order order = Order::kAny;
  std::uint32_t max_parts = 64;  // requests that one lane has ready at once because of split_by
  bool overwrites = false;       // the API stores a record that comes twice once
};

// How a second request confirms a batch (contracts.md, `confirm`).
struct Confirmation {
  std::chrono::milliseconds every{};            // between two questions
  std::chrono::milliseconds within{};           // after which the batch is taken for not confirmed
  RuleVerdict otherwise = RuleVerdict::kRetry;  // then: kRetry, kHold or kAccepted
};
struct ConfirmRequest {
  std::string method;
  std::string path;  // as Rendered::path
  Headers headers;
  std::string body;
};

struct DeclaredLimit {
  std::uint64_t requests = 0;  // 0: not limited
  std::uint64_t items = 0;
  std::uint64_t bytes = 0;
  std::chrono::milliseconds per{};
};

// How an API tells what it has of a gateway, by stream and hour of server_received_at (contracts.md, `reconcile`).
// Reference tokens of JSON pointers.
struct ReconcileRules {
  std::vector<std::string> each;                 // of the list of hours, from the whole reply
  std::vector<std::string> stream, hour, count;  // from here on within an element of the list
  std::optional<std::vector<std::string>> hash;
  std::optional<std::vector<std::string>> next;  // cursor of the next page, from the whole reply
  std::chrono::milliseconds oldest{};            // how long the API knows it
  // Measurements of which the API has a sum, and where that stands within an element.
  struct Sum {
    std::string measurement;
    std::vector<std::string> place;
  };
  std::vector<Sum> sums;
  // Of those that a destination names; the token "{name}" stands for the name. None: it can name none.
  std::optional<std::vector<std::string>> named_sum;

  // The sums of a destination that names these measurements.
  std::vector<Sum> SumsWith(const std::vector<std::string>& named) const;
};
struct ReconcileQuestion {
  BatchHeader gateway;  // what the gateway is called
  WallTime from{};
  WallTime to{};
  std::string cursor;  // empty: the first page
};
struct ReconcileRequest {
  std::string path;  // as Rendered::path
  Headers headers;   // secrets are marks
};

// How the API's requests are authenticated (lib/auth): the name of a scheme and its parameters. What the scheme itself
// fills in, such as {url.host}, stays as it is.
struct RequestAuth {
  std::string scheme;  // empty: the destination says it
  std::map<std::string, std::string, std::less<>> parameters;
};

// What a setting of a contract is, for `check` and `contract show`.
struct SettingRule {
  std::string name;
  bool required = true;
  bool secret = false;
  bool table = false;  // its value is the name of a table, or a table as JSON (lookup_table.h)
};

// A cloud API's contract with its settings filled in. Immutable; any thread.
class CloudContract {
 public:
  virtual ~CloudContract() = default;
  virtual const std::string& name() const = 0;  // name@major.minor
  virtual const std::string& method() const = 0;
  // Content codings that the API takes beside identity, the best first: "zstd", "gzip", "snappy". "snappy" is the block
  // format that remote write demands; where it stands, a body is always coded with it.
  virtual const std::vector<std::string>& codings() const = 0;
  // The receiver knows a record that it has already, whatever batch it comes in: a batch whose outcome is unknown may
  // be split.
  virtual bool recognises_records() const { return false; }
  virtual const ResponseRules& response() const = 0;
  virtual const Accepts& accepts() const = 0;
  virtual const std::vector<DeclaredLimit>& limits() const = 0;
  // Whether a record of kind gap may tell of this outcome: "dropped", "expired", "not_received".
  virtual bool TellsGap(std::string_view outcome) const = 0;
  // What the contract says of authentication, for the gateway that `sender` names.
  virtual RequestAuth Auth(const BatchHeader& /*sender*/) const { return {}; }
  // Whether requests of the gateway that `sender` names can be written. kInvalidArgument: a table lacks what is asked
  // of it, or a value cannot stand where it is wanted.
  virtual Status CheckSender(const BatchHeader& /*sender*/) const { return {}; }
  // Names of the secret settings that paths and headers have marks of (base/secret_mark.h).
  virtual const std::vector<std::string>& secrets() const = 0;
  // What a mark of an entry of a secret table stands for, "TABLE:KEY"; null: there is no such entry.
  virtual const std::string* SecretEntry(std::string_view /*name*/) const { return nullptr; }
  // Names, lower case, of all headers that its requests may have beside the Content-Type, each once.
  virtual std::vector<std::string> HeaderNames() const = 0;

  // Renders one record to its wire form; the pieces are joined by RenderBatch, so that a batch is sized as it grows.
  virtual RenderedRecord RenderRecord(const CanonicalRecord& record) const = 0;
  // Likewise, with the time of its receipt as its time whatever clock the contract chooses.
  virtual RenderedRecord RenderAsReceived(const CanonicalRecord& record) const = 0;
  // The time of a record by the clock that the contract chooses; none: it has none.
  virtual std::optional<WallTime> TimeOf(const CanonicalRecord& record) const = 0;
  // The request for records rendered above, all of one part. Same arguments, same bytes.
  virtual Rendered RenderBatch(const BatchHeader& header, std::span<const RenderedRecord> records) const = 0;
  // Headers of the request beside content type, content coding, Accept (unless given) and authentication. Made for each
  // attempt and never stored; secrets are marks.
  virtual Headers RequestHeaders(const BatchHeader& header) const = 0;
  // How the verdict kConfirm goes on; null: no rule has it.
  virtual const Confirmation* confirmation() const { return nullptr; }
  // The second request, for the key that the first reply gave. kInvalidArgument: it cannot be written.
  virtual Result<ConfirmRequest> RenderConfirmation(const BatchHeader& /*header*/, const ConfirmKey& /*key*/) const {
    return Error{ErrorCode::kUnsupported, "the contract confirms nothing"};
  }
  // The items of a body that RenderBatch has made, byte for byte: `body` from items_begin to items_end. kCorrupt: it is
  // no such body. kUnsupported (or kInvalidArgument): the contract groups its items.
  virtual Result<std::vector<std::string>> Items(std::string_view items) const = 0;
  // Null: the API does not tell what it has.
  virtual const ReconcileRules* reconcile() const { return nullptr; }
  // A GET. REQUIRES: reconcile() is not null.
  virtual ReconcileRequest RenderReconcile(const ReconcileQuestion& /*question*/) const { return {}; }
  // Bytes that RenderBatch adds around items, an upper bound for accepts().max_items of them.
  virtual std::uint64_t EnvelopeBytes(const BatchHeader& header) const = 0;
};

// The values of the settings of a destination that are no secrets, by name. Of a table, secret or not: the name of a
// file tables/NAME.json beside the contracts, or the table itself as JSON.
using SettingValues = std::map<std::string, std::string>;

// A contract of the program, with its settings filled in. "name@major" is the newest minor. kNotFound lists what
// exists; kInvalidArgument names the settings that are missing or unknown.
Result<std::shared_ptr<const CloudContract>> FindCloudContract(std::string_view name,
                                                               const SettingValues& settings = {});
std::vector<std::string> CloudContractNames();

// One canonical record as one line of JSON, as packhorse-ingest@1 shows it: for `decode --json` and `tail`.
std::string ToJson(const CanonicalRecord& record);
// Likewise, in memory of this thread that the next call writes over.
std::string_view JsonOf(const CanonicalRecord& record);

}  // namespace packhorse::contract
