#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "queue/values/queue_ids.h"
#include "queue/values/stats.h"
#include "queue/values/values.h"

namespace packhorse::queue {

// The side of the queue that faces delivery: delivery peeks at pending messages, prepares batches
// of them, sends these and settles them.
//
//   Result<Pending> pending = queue.Peek("cloud", Lane::kNormal, 500, 1 << 20);
//   queue.Prepare(Render(*pending), [&](Result<std::vector<BatchId>> ids) { Send(ids->front()); });
//   ...                                     // the cloud has answered
//   queue.Settle(Judge(reply), [](Result<std::vector<BatchId>>) {});
//
// Thread: the loop, for each call and each callback; Queue::Poll() runs the callbacks. "Cheap" reads memory only; the
// other calls may read the database.
class DeliveryPort {
 public:
  using BatchesDone = std::function<void(Result<std::vector<BatchId>>)>;
  using BatchDone = std::function<void(Result<BatchId>)>;
  // Of one destination and lane: they bound the memory of the queue state.
  static constexpr std::size_t kMaxRanges = 64;
  static constexpr std::size_t kMaxBacklogs = 8;

  virtual ~DeliveryPort() = default;

  // The ids of this queue: the present one, and earlier ones that stored messages still have in their record ids.
  virtual const QueueIds& ids() const = 0;

  // Returns the next pending messages of a destination's lane, oldest first: at most `max_messages` and about
  // `max_bytes` of payload, at least one if there is one. Moves nothing. Stamps are as they go out; messages whose
  // stamp is open are left out (BootClock).
  virtual Result<Pending> Peek(const std::string& destination, LanePart of, std::size_t max_messages,
                               std::uint64_t max_bytes) = 0;
  // Likewise, of those behind the number `behind` that lie together with what Peek() returns now: what it will return
  // once all up to there is prepared. None where nothing follows. They are written over those of `room`, whose memory
  // serves again. Thread: any, while the loop makes no other call.
  virtual Result<Pending> PeekBehind(Sequence behind, const std::string& destination, LanePart of,
                                     std::size_t max_messages, std::uint64_t max_bytes, Pending room) = 0;
  // Returns the newest pending messages, for a probe: at least one if there is one, fewer than asked for where they lie
  // apart. Prepare() may begin there, within the range. Returns nothing where the lane has kMaxRanges ranges, because
  // each probe leaves one more.
  virtual Result<Pending> PeekNewest(const std::string& destination, LanePart of, std::size_t max_messages,
                                     std::uint64_t max_bytes) = 0;
  // Counts the messages of a destination's lane that are pending and in no batch. Cheap.
  virtual PendingStats Waiting(const std::string& destination, LanePart of) = 0;
  // Asks the queue to wake the loop when so many messages wait, and not before. Before the first call, the first
  // message that waits does.
  virtual void WakeAt(const std::string& destination, LanePart of, std::uint64_t messages) = 0;
  // Makes a backlog of the live messages of the lane, if the oldest of them is at least `age` old. Messages that arrive
  // later are live. Returns false, and does nothing, where the lane has kMaxBacklogs already.
  virtual bool Split(const std::string& destination, Lane lane, std::chrono::milliseconds age) = 0;
  // Returns the received_at of the oldest message that a destination has not settled; WallTime{} when there is none.
  virtual WallTime OldestPending(const std::string& destination) = 0;
  // How old these messages of a lane are at least, as of now: measured, whatever the wall clock does.
  virtual std::vector<std::chrono::microseconds> AgesOf(Lane lane, std::span<const StoredMessage> messages) = 0;
  // Returns one stored message. kNotFound once its segment is gone.
  virtual Result<StoredMessage> Read(Lane lane, Sequence sequence) = 0;

  // Moves a range of messages into batches. `done` gets the ids of the batches, in order, when no crash of the process
  // can undo it: a batch must not be sent before.
  virtual void Prepare(PrepareRequest request, BatchesDone done) = 0;
  // Ends a batch with a verdict for each of its records. What must be tried again goes into new batches, its
  // successors; `done` gets their ids, in order.
  virtual void Settle(Settlement settlement, BatchesDone done) = 0;
  // Returns the prepared batches of a destination in the order in which they must be sent. After a restart each has
  // maybe_sent set: the process before may have sent it.
  virtual Result<std::vector<PreparedBatch>> PreparedBatches(const std::string& destination) = 0;
  // Returns the highest sequence number of the lane that went into a batch for the destination, or was dropped or
  // expired before that. A message up to it that is prepared now goes out behind a later one. Cheap.
  virtual Sequence HighestTaken(const std::string& destination, Lane lane) = 0;

  // The replay from which the destination takes the next messages, and its rate. Cheap.
  struct DueReplay {
    ReplayId id = 0;
    std::uint32_t messages_per_second = 0;
  };
  virtual std::optional<DueReplay> NextReplay(const std::string& destination) = 0;
  // Peek() for the next part of a replay, a bounded one. Prepare() takes it; a part without messages only advances the
  // replay.
  virtual Result<ReplayPart> PeekReplay(ReplayId id, std::size_t max_messages, std::uint64_t max_bytes) = 0;
  // Moves dead letters back into delivery: they become `batch`, which the caller has rendered from these letters, all
  // of one destination and lane, in one operation. The ledger counts their messages as pending again.
  virtual void RedriveDead(std::vector<std::int64_t> ids, std::unique_ptr<PreparedBatch> batch, BatchDone done) = 0;
  // Lets a dead letter go: its bytes are not kept any longer. Its message stays rejected in the ledger. kNotFound: no
  // dead letter has this id, or it is on its way again.
  virtual void DropDead(std::int64_t id, std::function<void(const Status&)> done) = 0;
  // Moves messages out of a destination's quarantine: into batches, or resolved as dropped. All or nothing.
  virtual void RetryQuarantined(PrepareRequest request, BatchesDone done) = 0;
};

}  // namespace packhorse::queue
