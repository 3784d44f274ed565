// Messages in quarantine are tried again.

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "queue/queue_impl.h"

namespace packhorse::queue {

Result<std::vector<QuarantinedMessage>> QueueImpl::QuarantinedFor(const std::string& destination, bool waiting,
                                                                  Slot after, std::size_t limit) {
  std::set<PartialKey> left;
  std::optional<DestinationId> id;
  {
    // First: what the database does not know yet to have left is in here.
    const std::lock_guard lock(mutex_);
    id = state_->FindDestination(destination);
    left = state_->LeftQuarantine();
  }
  if (!id) {
    return Error{ErrorCode::kNotFound, "no destination \"" + destination + "\""};
  }
  Result<std::vector<QuarantinedMessage>> page = Noted(reader_.QuarantinedFor(*id, waiting, after, limit));
  if (page) {
    for (QuarantinedMessage& message : *page) {
      message.retrying = left.contains(PartialKey{*id, message.lane, message.sequence});
    }
  }
  return page;
}

// Which messages of the request leave the quarantine, with the reasons for which they are there.
Result<QuarantineRetryOp> QueueImpl::PrepareRetry(const PrepareRequest& request) {
  QuarantineRetryOp op;
  op.lane = request.lane;
  std::map<Sequence, QuarantineRetryOp::Message> messages;
  for (const auto& batch : request.batches) {
    for (const Member& member : batch->members) {
      messages[member.sequence] = {member.sequence, member.stream, member.received_hour, "", false, ""};
    }
  }
  for (const Resolution& resolution : request.resolutions) {
    if (resolution.outcome != Outcome::kQuarantined && resolution.message) {
      messages[resolution.sequence] = {
          resolution.sequence, resolution.message->stream, HourOf(resolution.message->received_at), "", true,
          resolution.reason,   resolution.outcome};
    }
  }
  std::set<PartialKey> left;
  {
    const std::lock_guard lock(mutex_);
    const std::optional<DestinationId> id = state_->FindDestination(request.destination);
    if (!id || messages.empty()) {
      return Refused("no destination \"" + request.destination + "\", or nothing that leaves the quarantine");
    }
    op.destination = *id;
    left = state_->LeftQuarantine();
  }
  for (auto& [sequence, message] : messages) {
    Result<std::optional<std::string>> reason = Noted(reader_.QuarantineReason(op.destination, op.lane, sequence));
    RETURN_IF_ERROR(reason);
    if (!*reason || left.contains(PartialKey{op.destination, op.lane, sequence})) {
      return Refused("message " + std::to_string(sequence) + " is not in quarantine for \"" + request.destination +
                     "\"");
    }
    message.reason = **reason;
    op.messages.push_back(std::move(message));
  }
  return op;
}

void QueueImpl::RetryQuarantined(PrepareRequest request, std::function<void(Result<std::vector<BatchId>>)> done) {
  Result<QuarantineRetryOp> op = PrepareRetry(request);
  const std::lock_guard lock(mutex_);
  if (op && !std::all_of(op->messages.begin(), op->messages.end(), [&](const QuarantineRetryOp::Message& message) {
        return state_->MayRetry(op->destination, op->lane, message);
      })) {
    op = Refused("a message still waits, or the ledger does not count it as quarantined");
  }
  if (!op) {
    CompleteLocked([done, error = op.error().With("take out of quarantine")] { done(error); });
    return;
  }
  std::vector<BatchId> ids;
  for (auto& batch : request.batches) {
    op->batches.push_back(AssignLocked(std::move(batch)));
    ids.push_back(op->batches.back()->id);
  }
  store_->PostLocked(*std::move(op), [this, done = std::move(done), ids = std::move(ids)](const Status& status) {
    CompleteLocked([done, ids, status] { done(status ? Result<std::vector<BatchId>>(ids) : status.error()); });
  });
}

}  // namespace packhorse::queue
