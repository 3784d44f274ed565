#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "queue/state/queue_state.h"
#include "queue/tables/reader.h"
#include "queue/values/ledger.h"
#include "queue/values/queue_ids.h"
#include "queue/values/stats.h"
#include "queue/values/trace.h"

namespace packhorse::queue {

// A queue that no daemon holds open, as it stands in its database: for looking only. Changes nothing and takes no lock;
// should a daemon start meanwhile, both work. What only the journal has is counted but not taken in. Not thread-safe.
class FileView {
 public:
  // What happened after the last checkpoint; nothing after an orderly end.
  struct Uncheckpointed {
    std::uint64_t operations = 0;
    std::uint64_t bytes = 0;
    std::string problem;  // why the journal could not be read
  };
  struct PendingSummary {
    std::string destination;
    std::uint64_t pending = 0;  // messages, in batches too
    WallTime oldest_at{};       // epoch when nothing is pending
  };

  // kNotFound without a file; kPermissionDenied when SQLite may not read it; kUnsupported for another format.
  static Result<FileView> Open(const std::string& path, const std::string& runtime_dir);

  const QueueIds& ids() const { return ids_; }
  const Uncheckpointed& uncheckpointed() const { return uncheckpointed_; }

  Result<std::vector<DeadLetter>> DeadLetters(std::size_t limit, std::int64_t after_id);
  Result<DeadLetter> FindDeadLetter(std::int64_t id);
  // Of all destinations, oldest first.
  Result<std::vector<Suspect>> Suspects(std::size_t limit, std::int64_t after_id);
  Result<Suspect> FindSuspect(std::int64_t id);
  Result<std::vector<QuarantinedMessage>> Quarantined(std::size_t limit, Sequence after) {
    return reader_.Quarantined(limit, after);
  }
  Result<MessageTrace> Trace(Lane lane, Sequence sequence, std::optional<std::uint32_t> record);
  Ledger ReadLedger() const { return state_->BuildLedger(); }
  Result<std::vector<PendingSummary>> PendingSummaries();
  std::vector<std::string> Destinations() const { return state_->Destinations(); }
  std::string StreamName(StreamId id) const { return state_->StreamName(id); }
  // Messages of this lane that are in no batch yet: how many, and the next ones as Queue::Peek() gives them.
  // kNotFound when the queue has no such destination.
  struct Waiting {
    std::uint64_t messages = 0;
    std::vector<StoredMessage> next;
  };
  Result<Waiting> Peek(const std::string& destination, Lane lane, std::size_t max_messages, std::uint64_t max_bytes);
  // Of a queue at rest: nothing is at risk or failing.
  Result<Stats> Snapshot();

 private:
  FileView(QueueIds ids, Reader reader)
      : ids_(std::move(ids)), reader_(std::move(reader)), state_(std::make_unique<QueueState>(0)) {}
  // Calls `visit` with the waiting messages, the next one first, until it returns false.
  using VisitWaiting = std::function<bool(Sequence sequence, const SegmentReader& at)>;
  Status ForEachWaiting(DestinationId destination, Lane lane, const VisitWaiting& visit);
  template <typename Letter>
  void SetRecordId(Letter& letter) const;

  QueueIds ids_;
  Reader reader_;
  std::unique_ptr<QueueState> state_;
  Uncheckpointed uncheckpointed_;
};

}  // namespace packhorse::queue
