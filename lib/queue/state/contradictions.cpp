// What the counters of the queue state say of each other.

#include <algorithm>
#include <set>

#include "queue/state/queue_state.h"

namespace packhorse::queue {
namespace {

std::string Sum(const LedgerRow& row) {
  std::string text;
  std::uint64_t sum = 0;
  const auto add = [&](std::string_view name, std::uint64_t count) {
    text += (text.empty() ? "" : " + ") + std::string(name) + " " + std::to_string(count);
    sum += count;
  };
  for (const LedgerCounter& counter : kLedgerCounters) {
    add(Name(counter.outcome), row.*counter.messages);
  }
  add("pending", row.pending);
  return text + " = " + std::to_string(sum);
}

}  // namespace

// A message of which several batches carry records counts once, also when some are set aside.
std::set<Sequence> QueueState::InBatches(DestinationId destination, Lane lane) const {
  std::set<Sequence> messages = suspects_.Messages(destination, lane);
  for (const auto& [id, unsettled] : unsettled_) {
    if (unsettled.destination != destination || unsettled.batch->lane != lane) {
      continue;
    }
    for (const Member& member : unsettled.batch->members) {
      messages.insert(member.sequence);
    }
  }
  return messages;
}

std::vector<std::string> QueueState::LedgerContradictions() const {
  std::vector<std::string> gaps;
  const Ledger ledger = BuildLedger();
  for (const LedgerRow& row : ledger.rows) {
    if (!row.Balanced()) {
      gaps.push_back("stream " + row.stream + ", destination " + row.destination + ": received " +
                     std::to_string(row.received) + ", but " + Sum(row));
    }
  }
  for (const auto& [id, name] : destinations_) {
    for (const Lane lane : kAllLanes) {
      const PendingRanges* ranges = FindPendingRanges(id, lane);
      const std::uint64_t waiting = ranges == nullptr ? 0 : ranges->waiting();
      const std::uint64_t in_batches = InBatches(id, lane).size();
      const std::uint64_t pending = PendingMessages(id, lane);
      if (pending != waiting + in_batches) {
        gaps.push_back("destination " + name + ", lane " + std::string(Name(lane)) + ": " + std::to_string(pending) +
                       " pending, but " + std::to_string(waiting) + " waiting and " + std::to_string(in_batches) +
                       " in batches or set aside");
      }
    }
  }
  return gaps;
}

std::map<std::string, std::uint64_t> QueueState::Pending() const {
  std::map<std::string, std::uint64_t> pending;
  for (const auto& [key, count] : totals_) {
    if (key.outcome == kLedgerPending && count.messages > 0) {
      pending[DestinationName(key.destination)] += static_cast<std::uint64_t>(count.messages);
    }
  }
  return pending;
}

bool QueueState::SettledThrough(DestinationId destination, Lane lane, Sequence through) const {
  const PendingRanges* pending = FindPendingRanges(destination, lane);
  const bool waits = pending != nullptr &&
                     std::any_of(pending->ranges.begin(), pending->ranges.end(),
                                 [&](const PendingRange& range) { return range.waiting > 0 && range.from <= through; });
  return !waits && std::none_of(unsettled_.begin(), unsettled_.end(), [&](const auto& entry) {
    const Unsettled& unsettled = entry.second;
    return unsettled.destination == destination && !unsettled.batch->suspect && unsettled.batch->lane == lane &&
           unsettled.batch->members.front().sequence <= through;
  });
}

}  // namespace packhorse::queue
