#include "queue/queue_impl.h"

namespace packhorse::queue {

Result<MessageTrace> QueueImpl::Trace(Lane lane, Sequence sequence, std::optional<std::uint32_t> record,
                                      Reading reading) {
  RETURN_IF_ERROR(reading == Reading::kUpToDate ? store_->Barrier() : Status{});
  Result<MessageTrace> found = Noted(reader_.Trace(lane, sequence, record));
  if (found) {
    if (const Result<StoredMessage> stored = Read(lane, sequence); stored && found->received_at != WallTime{}) {
      found->received_at = stored->message.received_at;  // as it goes out
    }
    for (Place& place : found->places) {
      for (DeadLetter& letter : place.dead) {
        letter.record_id = IdOf(letter);
      }
      for (queue::Suspect& suspect : place.set_aside) {
        suspect.record_id = IdOf(suspect);
      }
    }
  }
  return found;
}

}  // namespace packhorse::queue
