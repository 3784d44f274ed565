#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "queue/ports/clock.h"
#include "queue/ports/delivery.h"
#include "queue/ports/intake.h"
#include "queue/ports/lookups.h"
#include "queue/ports/suspects.h"
#include "queue/values/definition.h"
#include "queue/values/ledger.h"
#include "queue/values/limit_report.h"
#include "queue/values/options.h"
#include "queue/values/start_report.h"
#include "queue/values/stats.h"
#include "queue/values/values.h"
#include "record/raw_message.h"

namespace packhorse::queue {

// The store-and-forward queue: durable intake, pending ranges per destination and lane, prepared batches, dead letters,
// quarantine and the ledger. FORMAT.md says what is on the disk and why a crash cannot break it. Payload bytes are
// opaque.
//
//   Result<std::unique_ptr<Queue>> queue = Open(options, clock);
//   MakeIntake(**queue);       // ingest sees an IntakePort
//   MakeDestination(**queue);  // delivery sees a DeliveryPort and a SuspectPort
//   (*queue)->Poll();          // on each iteration of the loop
//
// What is declared here is for the daemon that owns the queue. Threads: the loop, except for the intake port and where
// a method says otherwise. One internal store thread owns the writing connection and groups whatever is waiting into
// one commit.
class Queue : public IntakePort, public DeliveryPort, public SuspectPort, public ClockPort, public LookupPort {
 public:
  ~Queue() override = default;

  // Runs the callbacks that wait.
  virtual void Poll() = 0;
  // Lets waiting appends fail and ends the store thread after a last commit. Idempotent. Any thread.
  virtual void Stop() = 0;

  // --- what there is ---
  // Returns the number of a configured stream. Any thread.
  virtual Result<StreamId> Stream(std::string_view name) const = 0;
  virtual std::string StreamName(StreamId id) const = 0;
  const std::string& id() const { return ids().current(); }
  virtual const StartReport& start() const = 0;
  virtual Stats Snapshot() = 0;
  virtual Result<Ledger> ReadLedger() = 0;
  // Counts pending again from the stored messages, compares it with the counters, and looks at all that Check (check.h)
  // looks at: the full check of P3. Returns one line per contradiction, at most 100. Reads every stored message first.
  virtual Result<std::vector<std::string>> VerifyLedger() = 0;
  // Notes damage that a check has found, as if a read had met it: the next start salvages.
  virtual void NoteDamage(const std::string& because) = 0;
  // Returns how the messages of each stream are decoded: by stream, the definition in use last first.
  virtual Result<std::vector<KeptDefinition>> Definitions() = 0;
  // Brings everything so far into the database at once. `done` gets an error only when the queue stops before.
  virtual void Checkpoint(std::function<void(const Status&)> done) = 0;
  // The last number that each lane has given: urgent, normal, bulk.
  using LastNumbers = std::array<Sequence, kLanes>;
  virtual LastNumbers Last() = 0;
  // Whether nothing up to these numbers waits for this destination, in a batch or not.
  virtual bool SettledThrough(const std::string& destination, const LastNumbers& last) = 0;

  // --- what the daemon itself does ---
  // Stores a message of the daemon's own without waiting. False when there is no number for it right now.
  virtual bool TryAppend(const RawMessage& message) = 0;
  // Begins to send messages of a stream with retain_delivered again: all of that time that are stored, except what is
  // pending, refused or quarantined. `done` gets it once no crash can lose it. kInvalidArgument and kNotFound say why
  // it makes no sense, kLimitExceeded that kMaxReplays run already.
  virtual void StartReplay(const ReplayRequest& request, std::function<void(Result<Replay>)> done) = 0;
  // Ends a replay; what is prepared still goes. kNotFound when no such replay runs.
  virtual void CancelReplay(ReplayId id, std::function<void(Result<Replay>)> done) = 0;
  // Returns the newest kMaxReplays, oldest first.
  virtual std::vector<Replay> Replays() = 0;

  // --- configuration ---
  // Takes over the streams and destinations of a new configuration. Streams keep their ids. A new destination starts
  // where it says, and what it catches up with counts as received for it. One that is gone keeps what is pending, and
  // visible, until it is configured again. All or nothing. Blocks, and holds arrivals up: for a checkpoint, and while
  // what is stored is counted for a destination that catches up, as far as CountAhead() has not done that.
  virtual Status Reconfigure(std::vector<StreamOptions> streams, std::vector<DestinationOptions> destinations) = 0;
  enum class Ahead : std::uint8_t { kWaits, kMore, kDone };
  // Counts beforehand, in pieces: each call about `bytes` of what is stored, and nobody else waits for it. kWaits: a
  // checkpoint has to end first. kDone: there is nothing to count now; the next call counts what is stored from now on.
  // From the first call to the end of Reconfigure() or to ForgetCount(), no stored message goes, and what max_bytes
  // would drop waits for that. kUnavailable: the disk refuses. Any error forgets the count.
  virtual Result<Ahead> CountAhead(const std::vector<StreamOptions>& streams,
                                   const std::vector<DestinationOptions>& destinations, std::uint64_t bytes) = 0;
  virtual void ForgetCount() = 0;

  // --- limits ---
  // Replaces Options::limits.
  virtual void SetLimits(const Limits& limits) = 0;
  // Gives up what is older than max_age and, over the other limits, what the overflow policies say; over max_bytes what
  // is only kept for replays goes first. To be called about once a second: each call does a bounded piece of work (64
  // segments or 50 ms), and up to that the queue may be over its limits for a moment. Messages in prepared batches
  // stay. Reports what is older than max_age, as measured (age.h), for a while before it goes (expiry.h).
  virtual LimitReport EnforceLimits(MonoTime now) = 0;
};

// Opens or makes the queue. kBusy when another process holds it (the message names its pid); kUnsupported when its
// format major is newer than ours; kCorrupt when the database is damaged.
Result<std::unique_ptr<Queue>> Open(Options options, const Clock& clock);

}  // namespace packhorse::queue
