// Records that are set aside: how they are found, go on their way again, and end.

#include <algorithm>
#include <utility>

#include "queue/queue_impl.h"
#include "queue/segment/message_codec.h"
#include "queue/tables/suspect_table.h"

namespace packhorse::queue {
namespace {

Error NoSuspect(std::int64_t id) {
  return Error{ErrorCode::kNotFound, "no suspect " + std::to_string(id) + ", or it is on its way already"};
}

NewDeadLetter BurialOf(const NewSuspect& new_suspect) {
  const SetAsideRecord& what = new_suspect.what;
  const Suspicion& suspicion = what.suspicion;
  return NewDeadLetter{DeadRecord{what.sequence, what.record, suspicion.reason, suspicion.detail,
                                  suspicion.provider_request_id, suspicion.http_status},
                       new_suspect.stream, new_suspect.total_records, new_suspect.message};
}

}  // namespace

Result<std::vector<NewSuspect>> QueueImpl::NewSuspectsOf(const Settlement& settlement, const PreparedBatch& batch) {
  std::vector<NewSuspect> new_suspects;
  for (const SetAsideRecord& record : settlement.set_aside) {
    const auto member = std::find_if(batch.members.begin(), batch.members.end(),
                                     [&](const Member& each) { return each.sequence == record.sequence; });
    if (batch.replay != 0 || member == batch.members.end() || (record.keep_batch && batch.records != 1)) {
      return Refused(
          "a record that is set aside is of a replay or not of this batch, or not alone in one that is kept");
    }
    const Result<StoredMessage> stored = Read(batch.lane, record.sequence);
    if (!stored) {
      return stored.error().With("set aside");
    }
    new_suspects.push_back(NewSuspect{record, member->stream, member->total_records, member->received_hour,
                                      EncodeMessage(record.sequence, stored->message)});
  }
  return new_suspects;
}

Result<SuspectContent> QueueImpl::ContentOf(const DeadKey& key) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto uncheckpointed = state_->UncheckpointedSuspect(key)) {
      return *uncheckpointed;
    }
  }
  return Noted(reader_.Suspect(key));
}

Result<Suspect> QueueImpl::FindSuspect(std::int64_t id) {
  std::unique_lock lock(mutex_);
  const std::optional<DeadKey> key = state_->suspects().FindId(id);
  if (!key) {
    return Error{ErrorCode::kNotFound, "no suspect " + std::to_string(id)};
  }
  const bool retrying = state_->suspects().Find(*key)->retrying;
  lock.unlock();
  Result<SuspectContent> content = ContentOf(*key);
  Result<Suspect> suspect = content ? Describe(*key, *std::move(content), retrying) : Result<Suspect>(content.error());
  if (suspect) {
    lock.lock();
    suspect->destination = state_->DestinationName(key->destination);
    suspect->stream_name = state_->StreamName(suspect->stream);
    suspect->record_id = IdOf(*suspect);
  }
  return suspect;
}

Result<std::vector<Suspect>> QueueImpl::Suspects(const std::string& destination, std::size_t limit,
                                                 std::int64_t after_id) {
  std::vector<std::int64_t> ids;
  {
    const std::lock_guard lock(mutex_);
    const std::optional<DestinationId> wanted = state_->FindDestination(destination);
    if (wanted || destination.empty()) {
      ids = state_->suspects().Ids(wanted, limit, after_id);
    }
  }
  std::vector<Suspect> suspects;
  for (const std::int64_t id : ids) {
    Result<Suspect> suspect = FindSuspect(id);
    RETURN_IF_ERROR(suspect);
    suspects.push_back(*std::move(suspect));
  }
  return suspects;
}

std::uint64_t QueueImpl::SuspectCount(const std::string& destination) {
  const std::lock_guard lock(mutex_);
  const std::optional<DestinationId> id = state_->FindDestination(destination);
  return id ? state_->suspects().Count(*id) : 0;
}

Result<DeadKey> QueueImpl::IdleLocked(std::int64_t id) const {
  const std::optional<DeadKey> key = state_->suspects().FindId(id);
  if (!key || state_->suspects().Find(*key)->retrying) {
    return NoSuspect(id);
  }
  return *key;
}

void QueueImpl::RetrySuspect(std::int64_t id, std::unique_ptr<PreparedBatch> batch,
                             std::function<void(Result<BatchId>)> done) {
  Result<Suspect> suspect = FindSuspect(id);
  const std::lock_guard lock(mutex_);
  const Result<DeadKey> key = suspect ? IdleLocked(id) : Result<DeadKey>(suspect.error());
  const auto refuse = [&](const Error& error) { CompleteLocked([done, error = error.With("retry")] { done(error); }); };
  if (!key) {
    refuse(key.error());
    return;
  }
  if (!batch && suspect->kept) {
    batch = std::make_unique<PreparedBatch>(*suspect->kept);
    batch->maybe_sent = true;
  }
  const bool fits = batch && batch->members.size() == 1 && batch->records == 1 && batch->lane == suspect->lane &&
                    batch->members.front().sequence == suspect->sequence &&
                    batch->members.front().first_record == suspect->record;
  if (!fits) {
    refuse(Refused("the batch is not of suspect " + std::to_string(id) + " alone"));
    return;
  }
  batch->destination = suspect->destination;
  batch->replayed = false;
  batch->suspect = true;
  SuspectRetryOp op{*key, AssignLocked(std::move(batch))};
  store_->PostLocked(op, [this, batch_id = op.batch->id, done = std::move(done)](const Status& status) {
    CompleteLocked([done, batch_id, status] { done(status ? Result<BatchId>(batch_id) : status.error()); });
  });
}

Status QueueImpl::EndSuspect(const DeadKey& key, Outcome outcome, bool as_dead_letter,
                             std::function<void(const Status&)> done) {
  const Result<SuspectContent> content = ContentOf(key);
  RETURN_IF_ERROR(content);
  SuspectEndOp op;
  op.suspect = key;
  op.outcome = outcome;
  if (as_dead_letter) {
    op.dead_letter = BurialOf(content->new_suspect);
  }
  const Suspicion& suspicion = content->new_suspect.what.suspicion;
  op.at = clock_.Wall();
  op.batch_key = content->batch_key;
  op.http_status = suspicion.http_status;
  op.provider_request_id = suspicion.provider_request_id;
  op.attempts = suspicion.refusals;
  const std::lock_guard lock(mutex_);
  store_->PostLocked(std::move(op), std::move(done));
  return {};
}

void QueueImpl::DropSuspect(std::int64_t id, std::function<void(const Status&)> done) {
  std::unique_lock lock(mutex_);
  const Result<DeadKey> key = IdleLocked(id);
  lock.unlock();
  const auto ended = [this, done](const Status& status) { CompleteLocked([done, status] { done(status); }); };
  Status begun = key ? EndSuspect(*key, Outcome::kRejected, false, ended) : Status(key.error());
  if (!begun) {
    lock.lock();
    CompleteLocked([done, begun] { done(begun); });
  }
}

// What is given up for its age was refused as often as there was time for: it ends as refused, with the last reply.
Status QueueImpl::ExpireSuspects(Budget& budget) {
  std::vector<DeadKey> old;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, entry] : state_->suspects().all()) {
      const bool due = expiry_.IsDue(key.destination, key.lane, key.sequence, entry.stamp.boot_time);
      if (due && !entry.retrying) {
        old.push_back(key);
      }
    }
  }
  for (const DeadKey& key : old) {
    if (!budget.Take()) {
      break;
    }
    RETURN_IF_ERROR(EndSuspect(key, Outcome::kRejected, true, [](const Status&) {}));
  }
  return {};
}

// Oldest first, of the lanes that make room so.
Status QueueImpl::DropSuspects(std::uint64_t excess, Budget& budget, std::vector<GivenUp>& given_up) {
  std::map<std::int64_t, DeadKey> idle;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, entry] : state_->suspects().all()) {
      if (!entry.retrying && DropsOldest(limits_, key.lane)) {
        idle[entry.id] = key;
      }
    }
  }
  std::uint64_t freed = 0;
  for (const auto& [id, key] : idle) {
    if (freed >= excess || !budget.Take()) {
      break;
    }
    const Result<SuspectContent> content = ContentOf(key);
    RETURN_IF_ERROR(content);
    freed += content->new_suspect.message.size() + (content->kept ? content->kept->body.size() : 0);
    RETURN_IF_ERROR(EndSuspect(key, Outcome::kDropped, false, [](const Status&) {}));
    const std::lock_guard lock(mutex_);
    given_up.push_back(GivenUp{Outcome::kDropped, std::string(kMaxBytes), state_->DestinationName(key.destination),
                               key.lane, key.sequence, key.sequence, 1});
  }
  return {};
}

}  // namespace packhorse::queue
