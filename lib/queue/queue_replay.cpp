// Replays: what was delivered goes again. Each is a walk over the lanes, from their beginning to where they ended when
// it was asked for; what it takes is prepared like any other batch, outside the pending ranges and the ledger's
// identity.

#include <algorithm>
#include <set>
#include <utility>

#include "base/units.h"
#include "queue/queue_impl.h"
#include "queue/segment/message_codec.h"
#include "queue/tables/rows.h"

namespace packhorse::queue {
namespace {

// What one look reads at most, so that the loop goes on.
constexpr std::size_t kReplaySegments = 32;
constexpr std::size_t kReplayPlainBytes = 4U << 20U;

// Collects the messages of a stream that may be of the time asked for, until a bound is reached.
class ReplayCollector {
 public:
  ReplayCollector(const Replay& replay, Pending& pending, std::size_t max_messages, std::uint64_t max_bytes)
      : replay_(replay), pending_(pending), max_messages_(max_messages), max_bytes_(max_bytes) {}

  Result<bool> Add(std::string_view plain, Sequence first, Sequence limit) {
    const auto add = [&](const SegmentReader& reader, const SegmentReader::Head& head) {
      if (head.stream == replay_.stream && MayBeOfThatTime(reader)) {
        if (full(reader.payload().size())) {
          cut_short_ = true;
          return false;
        }
        bytes_ += reader.payload().size();
        pending_.messages.push_back(StoredMessage{head.sequence, reader.Take()});
      }
      pending_.through = head.sequence;
      return true;
    };
    const Result<bool> more = WalkSegment(plain, first, pending_.through, limit, add);
    if (!more || !*more) {
      return more;
    }
    looked_at_ += plain.size();
    cut_short_ = ++segments_ >= kReplaySegments || looked_at_ >= kReplayPlainBytes;
    return !cut_short_;
  }
  bool cut_short() const { return cut_short_; }

 private:
  bool full(std::size_t more) const {
    return !pending_.messages.empty() && (pending_.messages.size() >= max_messages_ || bytes_ + more > max_bytes_);
  }
  // A stamp from before the clock was right is corrected later.
  bool MayBeOfThatTime(const SegmentReader& reader) const {
    return reader.clock() != ClockState::kSynchronized ||
           (reader.received_at() >= replay_.what.from && reader.received_at() < replay_.what.to);
  }

  const Replay& replay_;
  Pending& pending_;
  std::size_t max_messages_;
  std::uint64_t max_bytes_;
  std::uint64_t bytes_ = 0;
  std::size_t segments_ = 0;
  std::size_t looked_at_ = 0;
  bool cut_short_ = false;
};

}  // namespace

Result<Replay> QueueImpl::NewReplayLocked(const ReplayRequest& request) {
  const std::optional<StreamId> stream = state_->FindStream(request.stream);
  const std::optional<DestinationId> destination = state_->FindDestination(request.destination);
  if (!stream || !destination) {
    return Error{ErrorCode::kNotFound, stream ? "no destination \"" + request.destination + "\" in the queue"
                                              : "no stream \"" + request.stream + "\" in the queue"};
  }
  if (!state_->retained().Keeps(*stream)) {
    return Refused("stream \"" + request.stream +
                   "\" keeps nothing that was delivered: set its retain_delivered (\"7d\") in the configuration; that "
                   "counts for what arrives from then on");
  }
  if (request.from >= request.to || request.rate == 0) {
    return Refused(request.rate == 0 ? "a rate of 0 would never end" : "from must be before to");
  }
  const auto& replays = state_->replays().all();
  const auto running = std::count_if(replays.begin(), replays.end(),
                                     [](const auto& each) { return each.second.state == Replay::State::kRunning; });
  if (static_cast<std::size_t>(running) >= kMaxReplays) {
    return Error{ErrorCode::kLimitExceeded, std::to_string(kMaxReplays) +
                                                " replays are running: wait for one to end, or cancel one (packhorse "
                                                "replay list)"};
  }
  Replay replay;
  replay.what = request;
  replay.stream = *stream;
  replay.destination = *destination;
  replay.asked_at = clock_.Wall();
  for (const Lane lane : kAllLanes) {
    if (state_->WasIn(*stream, lane)) {
      const Sequence open = state_->clock_epochs().OpenFrom(lane).value_or(kMaxSequence);
      replay.through.at(At(lane)) = std::min(state_->last(lane), open - 1);
    }
  }
  return replay;
}

Result<std::optional<StoredMessage>> QueueImpl::FirstStored(Lane lane, Sequence through) {
  std::unique_lock lock(mutex_);
  std::optional<StoredMessage> first;
  Status visited = VisitMessages(lock, lane, 1, through, [&](std::string_view plain, Sequence begin) -> Result<bool> {
    SegmentReader reader(plain, begin);
    const Result<SegmentReader::Head> head = reader.Next();
    RETURN_IF_ERROR(head);
    first = StoredMessage{head->sequence, reader.Take()};
    return false;
  });
  RETURN_IF_ERROR(visited);
  if (first) {
    state_->clock_epochs().Correct(lane, first->sequence, first->message);
  }
  return first;
}

// Begins with what is stored; an error when that is all later than what is asked for.
Status QueueImpl::FindBeginning(Replay& replay) {
  std::optional<WallTime> oldest;
  for (const Lane lane : kAllLanes) {
    if (replay.through.at(At(lane)) == 0) {
      continue;
    }
    const Result<std::optional<StoredMessage>> first = FirstStored(lane, replay.through.at(At(lane)));
    RETURN_IF_ERROR(first);
    if (*first) {
      replay.first.at(At(lane)) = (*first)->sequence;
      oldest = std::min(oldest.value_or((*first)->message.received_at), (*first)->message.received_at);
    }
  }
  replay.next = replay.first.front();
  replay.stored_from = oldest.value_or(WallTime{});
  if (!oldest || replay.what.to <= *oldest) {
    return Error{ErrorCode::kNotFound, oldest ? "nothing is stored any more from before " + FormatUtc(replay.what.to) +
                                                    ": the oldest message is from " + FormatUtc(*oldest)
                                              : "nothing is stored of stream \"" + replay.what.stream + "\""};
  }
  return {};
}

void QueueImpl::StartReplay(const ReplayRequest& request, std::function<void(Result<Replay>)> done) {
  std::unique_lock lock(mutex_);
  Result<Replay> replay = NewReplayLocked(request);
  if (replay) {
    lock.unlock();
    Status found = FindBeginning(*replay);
    lock.lock();
    if (!found) {
      replay = found.error();
    }
  }
  if (!replay) {
    CompleteLocked([done, error = replay.error()] { done(error); });
    return;
  }
  replay->id = state_->replays().TakeId();
  PostReplayLocked(*std::move(replay), std::move(done));
}

void QueueImpl::CancelReplay(ReplayId id, std::function<void(Result<Replay>)> done) {
  const std::lock_guard lock(mutex_);
  const Replay* found = state_->replays().Find(id);
  if (found == nullptr || found->state != Replay::State::kRunning) {
    Error error{ErrorCode::kNotFound, "no replay " + std::to_string(id) + " is running"};
    CompleteLocked([done, error = std::move(error)] { done(error); });
    return;
  }
  Replay replay = *found;
  replay.state = Replay::State::kCancelled;
  replay.ended_at = clock_.Wall();
  PostReplayLocked(std::move(replay), std::move(done));
}

void QueueImpl::PostReplayLocked(Replay replay, std::function<void(Result<Replay>)> done) {
  const WallTime stored_from = std::exchange(replay.stored_from, {});
  const auto posted = [this, id = replay.id, stored_from, done = std::move(done)](const Status& status) {
    const Replay* now = state_->replays().Find(id);
    Result<Replay> answer = Error{ErrorCode::kNotFound, "the replay ended at once"};
    if (!status) {
      answer = status.error();
    } else if (now != nullptr) {
      answer = NamedLocked(*now);
      answer->stored_from = stored_from;
    }
    CompleteLocked([done, answer = std::move(answer)] { done(answer); });
  };
  store_->PostLocked(ReplayStateOp{std::move(replay)}, posted);
}

Replay QueueImpl::NamedLocked(Replay replay) const {
  replay.what.stream = state_->StreamName(replay.stream);
  replay.what.destination = state_->DestinationName(replay.destination);
  return replay;
}

std::vector<Replay> QueueImpl::Replays() {
  const std::lock_guard lock(mutex_);
  std::vector<Replay> replays;
  for (const auto& [id, replay] : state_->replays().all()) {
    replays.push_back(NamedLocked(replay));
  }
  return replays;
}

std::optional<Queue::DueReplay> QueueImpl::NextReplay(const std::string& destination) {
  const std::lock_guard lock(mutex_);
  if (state_->replays().all().empty()) {
    return std::nullopt;
  }
  const std::optional<DestinationId> wanted = state_->FindDestination(destination);
  for (const auto& [id, replay] : state_->replays().all()) {
    if (wanted && replay.destination == *wanted && replay.state == Replay::State::kRunning &&
        !replay.looked_through()) {
      return DueReplay{id, replay.what.rate};
    }
  }
  return std::nullopt;
}

Result<ReplayPart> QueueImpl::PeekReplay(ReplayId id, std::size_t max_messages, std::uint64_t max_bytes) {
  std::unique_lock lock(mutex_);
  const Replay* found = state_->replays().Find(id);
  if (found == nullptr || found->state != Replay::State::kRunning || found->looked_through()) {
    return Error{ErrorCode::kNotFound, "no replay " + std::to_string(id) + " is running"};
  }
  const Replay replay = *found;
  const Lane lane = replay.lane;
  const Sequence limit = replay.through.at(At(lane));
  ReplayPart part{lane, Pending{replay.next, {}, replay.next - 1}, {}};
  ReplayCollector collector(replay, part.pending, max_messages, max_bytes);
  Status visited = VisitMessages(
      lock, lane, replay.next, limit,
      [&](std::string_view plain, Sequence first) -> Result<bool> { return collector.Add(plain, first, limit); });
  RETURN_IF_ERROR(visited);
  if (!collector.cut_short()) {
    part.pending.through = limit;
  }
  SkipBusyLocked(replay, part);
  lock.unlock();
  // After the look at what is on its way there: what went there in between is found in one of both.
  RETURN_IF_ERROR(SkipEnded(replay, part));
  std::sort(part.skipped.begin(), part.skipped.end());
  return part;
}

template <typename Skips>
void QueueImpl::Skip(ReplayPart& part, Skips skips) {
  std::erase_if(part.pending.messages, [&](const StoredMessage& stored) {
    const bool skip = skips(stored);
    if (skip) {
      part.skipped.push_back(stored.sequence);
    }
    return skip;
  });
}

// Of that time, once their stamps are right; and not what waits, is in a batch, or is just ending.
void QueueImpl::SkipBusyLocked(const Replay& replay, ReplayPart& part) const {
  std::vector<StoredMessage>& messages = part.pending.messages;
  CorrectLocked(replay.lane, messages);
  std::erase_if(messages, [&](const StoredMessage& stored) {
    return stored.message.received_at < replay.what.from || stored.message.received_at >= replay.what.to;
  });
  const std::set<Sequence> in_batches = state_->InBatches(replay.destination, replay.lane);
  Skip(part, [&](const StoredMessage& stored) {
    return in_batches.contains(stored.sequence) ||
           state_->Busy(replay.destination, replay.lane, stored.sequence, stored.message.stream);
  });
}

Status QueueImpl::SkipEnded(const Replay& replay, ReplayPart& part) {
  if (part.pending.messages.empty()) {
    return {};
  }
  const Result<std::set<Sequence>> ended =
      Noted(reader_.Ended(replay.destination, replay.lane, part.pending.from, part.pending.through));
  RETURN_IF_ERROR(ended);
  Skip(part, [&](const StoredMessage& stored) { return ended->contains(stored.sequence); });
  return {};
}

void QueueImpl::PrepareReplay(PrepareRequest request, std::function<void(Result<std::vector<BatchId>>)> done) {
  const std::lock_guard lock(mutex_);
  const Replay* replay = state_->replays().Find(request.replay);
  const bool fits = replay != nullptr && replay->state == Replay::State::kRunning && replay->lane == request.lane &&
                    replay->next == request.from && request.through + 1 >= request.from &&
                    request.through <= replay->through.at(At(request.lane));
  const bool filled = std::none_of(request.batches.begin(), request.batches.end(), [&](const auto& batch) {
    return batch->members.empty() || batch->replay != request.replay;
  });
  if (!fits || !filled) {
    CompleteLocked([done, error = Refused("prepare: this is not what the replay is at")] { done(error); });
    return;
  }
  ReplayPrepareOp op{request.replay, request.lane, request.through, 0, request.skipped + request.resolutions.size(), {},
                     clock_.Wall()};
  std::vector<BatchId> ids;
  for (auto& batch : request.batches) {
    for (const Member& member : batch->members) {
      op.messages += member.first_record == 0 ? 1 : 0;
    }
    op.batches.push_back(AssignLocked(std::move(batch)));
    ids.push_back(op.batches.back()->id);
  }
  store_->PostLocked(op, [this, done = std::move(done), ids = std::move(ids)](const Status& status) {
    CompleteLocked([done, ids, status] { done(status ? Result<std::vector<BatchId>>(ids) : status.error()); });
  });
}

}  // namespace packhorse::queue
