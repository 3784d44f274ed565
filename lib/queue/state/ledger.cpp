// The totals as the ledger that people read.

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "queue/state/queue_state.h"

namespace packhorse::queue {
namespace {

void AddOutcome(LedgerRow& row, int outcome, const std::string& reason, LedgerCount count) {
  const auto messages = static_cast<std::uint64_t>(count.messages);
  const auto records = static_cast<std::uint64_t>(count.records);
  for (const LedgerCounter& counter : kLedgerCounters) {
    if (LedgerCode(counter.outcome) == outcome) {
      row.*counter.messages += messages;
    }
  }
  if (outcome == LedgerCode(Outcome::kDelivered)) {
    row.records_delivered += records;
  } else if (outcome == LedgerCode(Outcome::kRejected)) {
    row.records_rejected += records;
  } else if (outcome == LedgerCode(Outcome::kDropped)) {
    row.drop_reasons.emplace_back(reason, messages);
  } else if (outcome == LedgerCode(Outcome::kSkipped) && messages > 0) {
    row.skip_reasons.emplace_back(reason, messages);
  }
}

}  // namespace

Ledger QueueState::BuildLedger() const {
  Ledger ledger;
  std::map<std::pair<StreamId, DestinationId>, LedgerRow> rows;
  for (const auto& [key, count] : totals_) {
    if (key.outcome == kLedgerUnrouted) {
      ledger.unrouted += static_cast<std::uint64_t>(count.messages);
      continue;
    }
    LedgerRow& row = rows[{key.stream, key.destination}];
    if (key.outcome == kLedgerReceived) {
      row.received += static_cast<std::uint64_t>(count.messages);
    } else if (key.outcome == kLedgerPending) {
      row.pending += static_cast<std::uint64_t>(count.messages);
    } else if (key.outcome == kLedgerReplayed) {
      row.replayed += static_cast<std::uint64_t>(count.messages);
      row.records_replayed += static_cast<std::uint64_t>(count.records);
    } else {
      AddOutcome(row, key.outcome, key.reason, count);
    }
  }
  for (auto& [key, row] : rows) {
    row.stream = StreamName(key.first);
    row.destination = DestinationName(key.second);
    ledger.rows.push_back(std::move(row));
  }
  return ledger;
}

void QueueState::Count(std::int32_t hour, StreamId stream, DestinationId destination, int outcome,
                       std::string_view reason, std::int64_t messages, std::int64_t records) {
  std::vector<CountedLast>& counted = counter_cache_.counted;
  auto found = std::find_if(counted.begin(), counted.end(), [&](const CountedLast& last) {
    return last.key.outcome == outcome && last.key.hour == hour && last.key.stream == stream &&
           last.key.destination == destination && last.key.reason == reason;
  });
  if (found == counted.end()) {
    LedgerKey key{hour, stream, destination, outcome, std::string(reason)};
    LedgerKey of_total = key;
    of_total.hour = 0;
    LedgerCount* const change = &changes_->ledger[key];
    counted.resize(std::min(counted.size(), CounterCache::kCounted - 1));
    found = counted.insert(counted.begin(), CountedLast{std::move(key), change, &totals_[std::move(of_total)]});
  }
  for (LedgerCount* const count : {found->change, found->total}) {
    count->messages += messages;
    count->records += records;
  }
  pending_ += outcome == kLedgerPending && !IsOwn(stream) ? messages : 0;
}

}  // namespace packhorse::queue
