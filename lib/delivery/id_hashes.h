#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "auth/crypto.h"
#include "queue/values/queue_ids.h"
#include "queue/values/values.h"
#include "record/raw_message.h"

namespace packhorse::delivery {

// Records of a batch, by number and place within the message.
using RecordSet = std::set<std::pair<Sequence, std::uint32_t>>;
// Those that a settlement ends otherwise than as delivered, or lets go on in another batch.
RecordSet NotDelivered(const queue::Settlement& settlement);

// What the ids of delivered records add up to, for the ledger of a destination that is reconciled. Loop thread.
class IdHashes {
 public:
  // Of the records of the batch that this settlement says are delivered, by stream and hour.
  std::vector<queue::IdHash> Of(const queue::PreparedBatch& batch, const queue::Settlement& settlement,
                                const queue::QueueIds& ids);

 private:
  std::string id_;  // of the record whose turn it is
  auth::ShortDigests digests_;
};

}  // namespace packhorse::delivery
