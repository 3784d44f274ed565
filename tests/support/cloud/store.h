#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "validation.h"

struct sqlite3;

namespace packhorse::cloud {

// A batch that was found valid, and the reply it will get; the reply is stored with it.
struct Acceptance {
  std::string_view idempotency_key;
  std::string_view body_sha256;
  const ReceivedBatch* batch = nullptr;
  std::vector<bool> left_out;  // by record: not to be stored (refused or to be retried); empty: none
  int status = 200;
  std::string_view reply;
};

// What became of it.
struct Accepted {
  enum class How { kStored, kReplayed, kKeyReused } how = How::kStored;
  int status = 0;     // kReplayed: of the first time
  std::string reply;  // kReplayed: of the first time
};

// One window of reconciliation: what arrived of a stream within one hour of server_received_at.
struct ReconciliationWindow {
  std::string stream;
  std::string hour;  // its beginning, RFC 3339
  std::int64_t count = 0;
  std::uint64_t hash = 0;  // sum of RecordIdHash, modulo 2^64
  std::vector<std::pair<std::string, double>> sums;
};

struct ReconciliationQuery {
  std::string gateway;
  std::string first_hour;  // inclusive
  std::string last_hour;   // inclusive
  std::string after_hour;  // cursor: continue behind this hour and stream; empty: from the beginning
  std::string after_stream;
  std::size_t limit = 100;
};

struct StoreCounts {
  std::uint64_t records = 0;
  std::uint64_t duplicates = 0;  // records received again in another batch
  std::uint64_t restamped = 0;   // ... with another server_received_at: the sender broke its promise
  std::uint64_t batches = 0;
  std::uint64_t replayed = 0;  // batches answered from memory, since start
  std::uint64_t keys_reused = 0;
};

// The receiver's memory: SQLite in WAL mode. A batch, its records, its reply and the reconciliation totals change in
// one transaction. Thread-safe; one writer at a time.
class Store {
 public:
  // `full_sync`: each commit reaches the disk before the reply (a real receiver must); else it survives a crash of this
  // process, not a power cut.
  static Result<std::unique_ptr<Store>> Open(const std::string& path, bool full_sync);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  Result<Accepted> Accept(const Acceptance& acceptance, WallTime now);
  // Test equipment: loses a record that was accepted, or stores another value of one of its measurements. False: there
  // is none.
  Result<bool> Forget(std::string_view record_id);
  Result<bool> Falsify(std::string_view record_id, const std::string& measurement, double value);
  // Windows in the order of hour and stream.
  Result<std::vector<ReconciliationWindow>> Reconcile(const ReconciliationQuery& query);
  StoreCounts Counts();

 private:
  struct Impl;
  Result<bool> InTransaction(const std::function<Result<bool>(Impl&)>& change);
  explicit Store(std::unique_ptr<Impl> impl);
  std::mutex mutex_;
  std::unique_ptr<Impl> impl_;  // guarded by mutex_
};

}  // namespace packhorse::cloud
