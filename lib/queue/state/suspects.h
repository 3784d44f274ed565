#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "queue/ledger/ledger.h"
#include "queue/operation/operation.h"
#include "record/raw_message.h"

namespace packhorse::queue {

// A message without its texts: what its age is told by.
RawMessage Stamp(RawMessage message);

// What of the records that are set aside is in memory: which there are, and how old each is. Their bytes are in the
// rows. At most as many as delivery sets aside. Not thread-safe: the queue state's owner holds a lock.
class Suspects {
 public:
  struct Entry {
    std::int64_t id = 0;
    StreamId stream = 0;
    std::uint32_t total_records = 1;
    std::int32_t received_hour = 0;
    RawMessage stamp;  // its message without texts: for its age
    bool retrying = false;
  };

  void Put(const DeadKey& key, Entry entry);
  void Remove(const DeadKey& key);
  Entry* Find(const DeadKey& key);
  const Entry* Find(const DeadKey& key) const;
  std::optional<DeadKey> FindId(std::int64_t id) const;
  const std::map<DeadKey, Entry>& all() const { return entries_; }
  // Of one destination, or of all: ascending.
  std::vector<std::int64_t> Ids(std::optional<DestinationId> destination, std::size_t limit, std::int64_t after) const;
  std::uint64_t Count(DestinationId destination) const;
  std::optional<Sequence> Lowest(Lane lane) const;  // of any destination
  // Messages of which a record is set aside.
  std::set<Sequence> Messages(DestinationId destination, Lane lane) const;
  std::size_t MessageCount(DestinationId destination, Lane lane) const;

 private:
  std::map<DeadKey, Entry> entries_;
  std::map<std::int64_t, DeadKey> ids_;
  std::map<DestinationId, std::uint64_t> counts_;
};

}  // namespace packhorse::queue
