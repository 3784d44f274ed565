// Messages that leave the quarantine again.

#include <algorithm>

#include "queue/state/queue_state.h"
#include "queue/values/definition.h"

namespace packhorse::queue {

void QueueState::QuarantineFor(DestinationId destination, Lane lane, Sequence sequence, std::string_view reason) {
  changes_->quarantined_for[PartialKey{destination, lane, sequence}] =
      QuarantinedFor{QuarantinedFor::State::kHeld, std::string(reason)};
}

std::set<PartialKey> QueueState::LeftQuarantine() const {
  std::set<PartialKey> left = retrying_;
  for (const Changes* changes : {static_cast<const Changes*>(changes_.get()), checkpointing_.get()}) {
    if (changes == nullptr) {
      continue;
    }
    for (const auto& [key, row] : changes->quarantined_for) {
      if (row.state != QuarantinedFor::State::kHeld) {
        left.insert(key);
      }
    }
  }
  return left;
}

// It does not wait for the destination, and is counted as quarantined for it.
bool QueueState::MayRetry(DestinationId destination, Lane lane, const QuarantineRetryOp::Message& message) const {
  const auto counted =
      totals_.find(LedgerKey{0, message.stream, destination, LedgerCode(Outcome::kQuarantined), message.reason});
  const PendingRanges* pending = FindPendingRanges(destination, lane);
  const bool waits = pending != nullptr && Subscribed(destination, message.stream, lane, message.sequence) &&
                     std::any_of(pending->ranges.begin(), pending->ranges.end(), [&](const PendingRange& range) {
                       return message.sequence >= range.from && (!range.through || message.sequence <= *range.through);
                     });
  return counted != totals_.end() && counted->second.messages > 0 && !waits;
}

void QueueState::Apply(const QuarantineRetryOp& op, MonoTime /*now*/) {
  for (const QuarantineRetryOp::Message& message : op.messages) {
    const PartialKey key{op.destination, op.lane, message.sequence};
    Count(message.received_hour, message.stream, op.destination, LedgerCode(Outcome::kQuarantined), message.reason, -1,
          0);
    if (message.ends) {
      Count(message.received_hour, message.stream, op.destination, LedgerCode(message.end), message.end_reason, 1, 0);
      changes_->quarantined_for[key] = QuarantinedFor{QuarantinedFor::State::kGone, ""};
    } else {
      Count(0, message.stream, op.destination, kLedgerPending, std::string(1, Letter(op.lane)), 1, 0);
      changes_->quarantined_for[key] = QuarantinedFor{QuarantinedFor::State::kRetrying, ""};
      retrying_.insert(key);
    }
  }
  for (const BatchPtr& batch : op.batches) {
    Prepare(op.destination, batch);
  }
}

void QueueState::LeaveQuarantine(const PartialKey& key) {
  if (retrying_.erase(key) > 0) {
    changes_->quarantined_for[key] = QuarantinedFor{QuarantinedFor::State::kGone, ""};
  }
}

std::map<std::string, std::uint64_t> QueueState::Undecodable() const {
  std::map<std::pair<StreamId, DestinationId>, std::int64_t> counts;
  for (const auto& [key, count] : totals_) {
    if (key.outcome == LedgerCode(Outcome::kQuarantined) && WaitsForDefinition(key.reason)) {
      counts[{key.stream, key.destination}] += count.messages;
    }
  }
  std::map<std::string, std::uint64_t> streams;
  for (const auto& [key, messages] : counts) {
    if (messages > 0) {
      std::uint64_t& most = streams[StreamName(key.first)];
      most = std::max(most, static_cast<std::uint64_t>(messages));
    }
  }
  return streams;
}

}  // namespace packhorse::queue
