#include "queue/state/suspects.h"

#include <utility>

namespace packhorse::queue {

RawMessage Stamp(RawMessage message) {
  message.topic.clear();
  message.payload.clear();
  message.content_type.clear();
  message.user_properties.clear();
  return message;
}

void Suspects::Put(const DeadKey& key, Entry entry) {
  Remove(key);
  ids_[entry.id] = key;
  ++counts_[key.destination];
  entries_[key] = std::move(entry);
}

void Suspects::Remove(const DeadKey& key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) {
    return;
  }
  ids_.erase(found->second.id);
  --counts_[key.destination];
  entries_.erase(found);
}

Suspects::Entry* Suspects::Find(const DeadKey& key) {
  const auto found = entries_.find(key);
  return found == entries_.end() ? nullptr : &found->second;
}

const Suspects::Entry* Suspects::Find(const DeadKey& key) const {
  const auto found = entries_.find(key);
  return found == entries_.end() ? nullptr : &found->second;
}

std::optional<DeadKey> Suspects::FindId(std::int64_t id) const {
  const auto found = ids_.find(id);
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<std::int64_t> Suspects::Ids(std::optional<DestinationId> destination, std::size_t limit,
                                        std::int64_t after) const {
  std::vector<std::int64_t> ids;
  for (auto at = ids_.upper_bound(after); at != ids_.end() && ids.size() < limit; ++at) {
    if (!destination || at->second.destination == *destination) {
      ids.push_back(at->first);
    }
  }
  return ids;
}

std::uint64_t Suspects::Count(DestinationId destination) const {
  const auto found = counts_.find(destination);
  return found == counts_.end() ? 0 : found->second;
}

std::optional<Sequence> Suspects::Lowest(Lane lane) const {
  const auto first = entries_.lower_bound(DeadKey{lane, 0, 0, 0});
  return first == entries_.end() || first->first.lane != lane ? std::nullopt : std::optional(first->first.sequence);
}

std::set<Sequence> Suspects::Messages(DestinationId destination, Lane lane) const {
  std::set<Sequence> messages;
  if (Count(destination) == 0) {
    return messages;
  }
  for (auto at = entries_.lower_bound(DeadKey{lane, 0, 0, 0}); at != entries_.end() && at->first.lane == lane; ++at) {
    if (at->first.destination == destination) {
      messages.insert(at->first.sequence);
    }
  }
  return messages;
}

// Asked with every step of a destination: it makes nothing. Those of a message are beside each other.
std::size_t Suspects::MessageCount(DestinationId destination, Lane lane) const {
  std::size_t count = 0;
  if (Count(destination) == 0) {
    return count;
  }
  std::optional<Sequence> last;
  for (auto at = entries_.lower_bound(DeadKey{lane, 0, 0, 0}); at != entries_.end() && at->first.lane == lane; ++at) {
    if (at->first.destination == destination && at->first.sequence != last) {
      last = at->first.sequence;
      ++count;
    }
  }
  return count;
}

}  // namespace packhorse::queue
