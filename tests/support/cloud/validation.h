#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace packhorse::cloud {

// One record of a checked body. The views point into the Validator that made it.
struct ReceivedRecord {
  std::string_view record_id;
  std::string_view queue_id;  // first part of the record id
  std::string_view lane;      // letter: u, n or b
  std::uint64_t sequence = 0;
  std::uint64_t part = 0;  // which of several records of one message
  std::string_view kind;
  std::string_view stream;
  std::string_view device_id;
  std::string_view server_received_at;
  std::string_view topic;
  std::string flags;                                      // joined by ","
  std::string measurements;                               // JSON text
  std::vector<std::pair<std::string_view, double>> sums;  // numeric measurements that reconciliation adds up
};

struct ReceivedBatch {
  std::string_view contract;
  std::string_view gateway_id;
  std::string_view batch_id;
  std::string_view lane;
  std::vector<ReceivedRecord> records;
};

struct Violation {
  std::string pointer;  // JSON pointer (RFC 6901) of the member that is wrong
  std::string detail;   // what is there and what is allowed
};

// What a body that was refused gets told.
struct Refusal {
  bool is_json = true;  // false: not JSON at all, `syntax` says why
  std::string syntax;
  std::vector<Violation> violations;  // the first kMaxViolations
  std::size_t violation_count = 0;
};

inline constexpr std::size_t kMaxViolations = 100;

struct Validation {
  bool ok = false;
  ReceivedBatch batch;
  Refusal refusal;
};

// Checks bodies of packhorse-ingest@1 by hand-written rules, which follow the published schema and go beyond it where
// JSON Schema has no words (counts that agree, ids that agree with their parts). Every violation is named. Members that
// are not known are fine: the contract grows within its major version. Reuses its buffers; one per thread.
class Validator {
 public:
  // `sum_fields`: names of measurements whose values reconciliation adds up.
  explicit Validator(std::vector<std::string> sum_fields);
  ~Validator();
  Validator(const Validator&) = delete;
  Validator& operator=(const Validator&) = delete;

  // The result's views live until the next call. `max_records` is not a rule of validity; the caller checks it.
  Validation Check(std::string_view body);

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
  std::vector<std::string> sum_fields_;
};

// RFC 3339 in UTC: "2026-11-20T09:12:01Z", with 0, 3, 6 or 9 fraction digits; exactly six where `microseconds` is set.
bool IsUtcTime(std::string_view text, bool microseconds);

}  // namespace packhorse::cloud
