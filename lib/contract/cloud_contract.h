#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "contract/cloud/response_rules.h"
#include "record/canonical_record.h"

namespace packhorse::contract {

// What a batch is called on the wire.
struct BatchHeader {
  std::string batch_id;  // the idempotency key
  Lane lane = Lane::kNormal;
  std::string gateway_id;
  std::map<std::string, std::string> gateway_attributes;
};

struct Rendered {
  std::string path;  // below the destination's base URL, starting with '/'
  std::string content_type;
  std::string body;  // not compressed
};

// A cloud API's contract, loaded from contracts/cloud/*.json. Immutable; any thread.
class CloudContract {
 public:
  virtual ~CloudContract() = default;
  virtual const std::string& name() const = 0;  // name@major.minor
  virtual const std::string& method() const = 0;
  virtual const std::string& idempotency_header() const = 0;  // empty: none
  // The receiver knows a record that it has already, whatever batch it comes in: a batch whose outcome is unknown may
  // be split.
  virtual bool recognises_records() const { return false; }
  virtual const ResponseRules& response() const = 0;
  virtual std::uint32_t max_records() const = 0;
  virtual std::uint64_t max_bytes() const = 0;  // uncompressed
  // Whether a record of kind gap may tell of this outcome: "dropped", "expired", "not_received".
  virtual bool TellsGap(std::string_view outcome) const = 0;

  // Renders one record to its wire form; the pieces are joined by RenderBatch, so that a batch is sized as it grows.
  virtual std::string RenderRecord(const CanonicalRecord& record) const = 0;
  // The request for records rendered above. Same arguments, same bytes.
  virtual Rendered RenderBatch(const BatchHeader& header, std::span<const std::string> records) const = 0;
  // The records of a body that RenderBatch has made, byte for byte. kCorrupt: it is no such body.
  virtual Result<std::vector<std::string>> Records(std::string_view body) const = 0;
  // Bytes that RenderBatch adds around records, an upper bound.
  virtual std::uint64_t EnvelopeBytes(const BatchHeader& header) const = 0;
};

Result<std::shared_ptr<const CloudContract>> FindCloudContract(std::string_view name);
std::vector<std::string> CloudContractNames();

// One canonical record as one line of JSON, as packhorse-ingest@1 shows it: for `decode --json` and `tail`.
std::string ToJson(const CanonicalRecord& record);

}  // namespace packhorse::contract
