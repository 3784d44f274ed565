// What the full check says of records that are set aside.

#include <string>

#include "queue/inspect/check.h"
#include "queue/segment/message_codec.h"

namespace packhorse::queue {

Status Check::OnSuspect(const Statement& row, std::uint64_t& bytes) {
  ++report_.suspects;
  const bool lane_known = row.Int(1) >= 0 && row.Int(1) < static_cast<std::int64_t>(kLanes);
  const PartialKey key{row.Int(0), lane_known ? static_cast<Lane>(row.Int(1)) : Lane::kNormal,
                       static_cast<Sequence>(row.Int(2))};
  const std::string who = "message " + std::to_string(key.sequence) + " of lane " + std::string(Name(key.lane)) +
                          ", set aside for " + DestinationName(key.destination);
  if (!lane_known || destinations_.count(key.destination) == 0 || key.sequence >= lanes_.at(At(key.lane)).next) {
    Note(who + ": there is no such lane, destination or number");
    return {};
  }
  if (members_.insert(key).second) {
    ++counted_[{static_cast<StreamId>(row.Int(4)), key.destination}];
  }
  const bool in_batch = records_.count({key, static_cast<std::uint32_t>(row.Int(3))}) > 0;
  if (in_batch != (row.Int(5) != 0)) {
    Note(who + (in_batch ? " is in a batch too" : " should be in a batch, and is in none"));
  }
  suspects_.insert(key);
  const Result<StoredMessage> message = DecodeMessage(row.Blob(6), key.sequence);
  if (!message) {
    NoteDamage(who + " does not decode: " + message.error().message);
  } else {
    bytes += message->message.payload.size();
  }
  return {};
}

}  // namespace packhorse::queue
