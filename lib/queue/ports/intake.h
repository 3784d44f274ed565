#pragma once

#include <optional>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "queue/values/values.h"
#include "record/raw_message.h"

namespace packhorse::queue {

// The side of the queue that faces ingest. Whoever receives a message appends it, and acknowledges it to the broker
// when the call returns a slot:
//
//   const Result<Slot> slot = queue.AppendTo(std::nullopt, std::move(message));
//   if (slot) Acknowledge();
//
// A slot is the lane and the sequence number of the message. Slots of a lane rise, so that one answer about a slot can
// cover all messages up to it: a source that acknowledges later (when a message is delivered, say) can be built on
// that.
//
// Thread: the receive thread. Calls for one source do not overlap.
class IntakePort {
 public:
  virtual ~IntakePort() = default;

  // Stores the message in the lane of its stream. With `lane`, stores it there instead if the stream has destinations
  // in that lane (StreamOptions::moves_to_bulk). Returns when the message is in the journal; in mode strict, when it is
  // in a checkpoint. Blocks until then, also while the disk cannot be written. Returns sequence 0 when a limit has
  // dropped the message: the drop is counted, and the caller acknowledges as usual. Fails only after Queue::Stop():
  // then the message is not stored and must not be acknowledged.
  virtual Result<Slot> AppendTo(std::optional<Lane> lane, RawMessage message) = 0;
  // Stores a message that is too large to be decoded. It goes into quarantine and is counted so. Blocks and fails as
  // AppendTo() does.
  virtual Status Quarantine(RawMessage message, std::string_view reason, std::string_view detail) = 0;
  // Counts a message of `stream` as dropped, without storing it. A power cut may lose the count.
  virtual void CountDropped(StreamId stream, std::string_view reason) = 0;
  // Counts a message that no stream selects.
  virtual void CountUnrouted() = 0;

  // AppendTo() without a choice of lane. Returns the sequence number.
  Result<Sequence> Append(RawMessage message) {
    const Result<Slot> slot = AppendTo(std::nullopt, std::move(message));
    return slot ? Result<Sequence>(slot->sequence) : Result<Sequence>(slot.error());
  }
};

}  // namespace packhorse::queue
