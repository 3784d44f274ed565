#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "record/canonical_record.h"
#include "record/raw_message.h"

namespace packhorse::contract {

// Decodes a device's bytes into canonical records. Pure functions of their arguments: no clock, no state, no I/O.
// Immutable; any thread.

// What is known about a message beside itself.
struct DecodeContext {
  std::string_view queue_id;
  Lane lane = Lane::kNormal;
  Sequence sequence = 0;
  std::string_view stream;
  std::string_view device = {};                   // what the topic names by the stream's pattern; may be empty
  bool retained_is_state = true;                  // policy "state": a retained message is a snapshot, kind state
  std::vector<CanonicalRecord>* spare = nullptr;  // records that nobody needs any more, or null: their memory is used
};

struct Decoded {
  enum class Kind {
    kRecords,     // one or more records, ids set; more than one: each id has its index
    kQuarantine,  // not decodable: reason and detail say why
    kIgnored,     // carries nothing to upload (an empty payload clears a retained message)
  };
  Kind kind = Kind::kRecords;
  std::vector<CanonicalRecord> records;
  std::string reason;  // short and stable: "invalid_json", "invalid_utf8", "too_deep", "empty", "clears_retained", ...
  std::string detail;  // for people: what, where (byte offset, JSON pointer)
};

class DeviceContract {
 public:
  virtual ~DeviceContract() = default;
  // name@major.minor
  virtual const std::string& name() const = 0;
  // Never throws, never fails: what cannot be decoded is a verdict.
  virtual Decoded Decode(const RawMessage& message, const DecodeContext& context) const = 0;
};

// Finds a released device contract by "name@major" (newest minor) or "name@major.minor". The error lists what exists.
Result<std::shared_ptr<const DeviceContract>> FindDeviceContract(std::string_view name);
// Full names of all released device contracts.
std::vector<std::string> DeviceContractNames();

}  // namespace packhorse::contract
