#include "queue/inspect/file_view.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/file.h"
#include "queue/journal/journal.h"
#include "queue/recovery/identity.h"
#include "queue/recovery/open.h"
#include "queue/sqlite/writable.h"
#include "queue/tables/schema.h"
#include "queue/tables/suspect_table.h"
#include "record/canonical_record.h"

namespace packhorse::queue {
namespace {

// SQLite's own words for a file that is missing or forbidden are the same: the system knows better.
Status CheckAccess(const std::string& path) {
  if (access(path.c_str(), R_OK) != 0) {
    return ErrnoError("read " + path, errno);
  }
  return {};
}

// A database with a write-ahead log needs its -shm file, also for reading; who may not write the folder cannot make it.
Error Explain(const Error& error, const std::string& path) {
  if (access((path + "-shm").c_str(), R_OK) == 0) {
    return error;
  }
  if (OnReadOnlyMedium(path)) {
    return Error{ErrorCode::kPermissionDenied, error.message + "; SQLite must be able to write " + path +
                                                   "-shm for that: copy the folder to where it can, and look there"};
  }
  if (access(FolderOf(path).c_str(), W_OK) != 0) {
    return Error{ErrorCode::kPermissionDenied,
                 error.message + "; SQLite must be able to write " + path + "-shm for that: try again with sudo"};
  }
  return error;
}

Result<FileView::Uncheckpointed> ReadUncheckpointed(Database& db, const std::string& queue_id,
                                                    const std::string& runtime_dir) {
  const Result<std::uint64_t> clean = MetaNumber(db, "clean");
  const Result<std::uint64_t> position = MetaNumber(db, "position");
  const Result<std::uint64_t> epoch = MetaNumber(db, "epoch");
  for (const auto* number : {&clean, &position, &epoch}) {
    if (!*number) {
      return number->error();
    }
  }
  FileView::Uncheckpointed uncheckpointed;
  if (*clean != 0) {
    return uncheckpointed;
  }
  const auto count = [&](LogPosition, std::string_view bytes) -> Status {
    ++uncheckpointed.operations;
    uncheckpointed.bytes += bytes.size();
    return {};
  };
  const Result<Journal::Left> left =
      Journal::Read(Journal::Options{runtime_dir, 0, queue_id, BootId(), *epoch, ""}, *position, count);
  if (!left) {
    uncheckpointed.problem = left.error().message;
  }
  return uncheckpointed;
}

}  // namespace

Result<FileView> FileView::Open(const std::string& path, const std::string& runtime_dir) {
  RETURN_IF_ERROR(CheckAccess(path));
  Result<Database> db = Database::Open(path, Database::Mode::kReadOnly);
  if (!db) {
    return Explain(db.error(), path);
  }
  if (Status known = CheckCurrent(*db); !known) {
    return Explain(known.error(), path);
  }
  Result<Reader> reader = Reader::Open(path);
  RETURN_IF_ERROR(reader);
  Result<QueueIds> ids = LoadIds(*db);
  RETURN_IF_ERROR(ids);
  FileView view(*std::move(ids), *std::move(reader));
  RETURN_IF_ERROR(LoadQueueState(*db, view.reader_, *view.state_));
  Result<Uncheckpointed> uncheckpointed = ReadUncheckpointed(*db, view.ids_.current(), runtime_dir);
  RETURN_IF_ERROR(uncheckpointed);
  view.uncheckpointed_ = *std::move(uncheckpointed);
  return view;
}

template <typename Letter>
void FileView::SetRecordId(Letter& letter) const {
  letter.record_id = RecordId(ids_.Of(letter.lane, letter.sequence), letter.lane, letter.sequence,
                              RecordIndex(letter.record, letter.total_records));
}

Result<std::vector<DeadLetter>> FileView::DeadLetters(std::size_t limit, std::int64_t after_id) {
  Result<std::vector<DeadLetter>> letters = reader_.DeadLetters(limit, after_id);
  if (letters) {
    for (DeadLetter& letter : *letters) {
      SetRecordId(letter);
    }
  }
  return letters;
}

Result<DeadLetter> FileView::FindDeadLetter(std::int64_t id) {
  Result<DeadLetter> letter = reader_.FindDeadLetter(id);
  if (letter) {
    SetRecordId(*letter);
  }
  return letter;
}

Result<Suspect> FileView::FindSuspect(std::int64_t id) {
  const std::optional<DeadKey> key = state_->suspects().FindId(id);
  if (!key) {
    return Error{ErrorCode::kNotFound, "no suspect " + std::to_string(id)};
  }
  Result<SuspectContent> content = reader_.Suspect(*key);
  Result<Suspect> suspect =
      content ? Describe(*key, *std::move(content), state_->suspects().Find(*key)->retrying) : content.error();
  if (suspect) {
    suspect->destination = state_->DestinationName(key->destination);
    suspect->stream_name = state_->StreamName(suspect->stream);
    SetRecordId(*suspect);
  }
  return suspect;
}

Result<std::vector<Suspect>> FileView::Suspects(std::size_t limit, std::int64_t after_id) {
  std::vector<Suspect> suspects;
  for (const std::int64_t id : state_->suspects().Ids(std::nullopt, limit, after_id)) {
    Result<Suspect> suspect = FindSuspect(id);
    RETURN_IF_ERROR(suspect);
    suspects.push_back(*std::move(suspect));
  }
  return suspects;
}

Result<MessageTrace> FileView::Trace(Lane lane, Sequence sequence, std::optional<std::uint32_t> record) {
  Result<MessageTrace> found = reader_.Trace(lane, sequence, record);
  if (found) {
    if (Result<StoredMessage> stored = reader_.Message(lane, sequence); stored && found->received_at != WallTime{}) {
      state_->clock_epochs().Correct(lane, sequence, stored->message);
      found->received_at = stored->message.received_at;  // as it goes out
    }
    for (Place& place : found->places) {
      for (DeadLetter& letter : place.dead) {
        SetRecordId(letter);
      }
      for (Suspect& suspect : place.set_aside) {
        SetRecordId(suspect);
      }
    }
  }
  return found;
}

Status FileView::ForEachWaiting(DestinationId destination, Lane lane, const VisitWaiting& visit) {
  const PendingRanges* pending = state_->FindPendingRanges(destination, lane);
  if (pending == nullptr || pending->waiting() == 0) {
    return {};
  }
  const std::vector<PendingRange>& ranges = pending->ranges;
  const auto first_range =
      std::find_if(ranges.begin(), ranges.end(), [](const auto& each) { return each.waiting > 0; });
  const auto waits = [&](const SegmentReader::Head& head) {
    return std::any_of(first_range, ranges.end(),
                       [&](const PendingRange& range) {
                         return head.sequence >= range.from && (!range.through || head.sequence <= *range.through);
                       }) &&
           state_->Subscribed(destination, head.stream, lane, head.sequence);
  };
  return reader_.VisitSegments(lane, first_range->from,
                               [&](Sequence first, Sequence, const std::string& plain) -> Result<bool> {
                                 SegmentReader messages(plain, first);
                                 while (!messages.AtEnd()) {
                                   const Result<SegmentReader::Head> head = messages.Next();
                                   RETURN_IF_ERROR(head);
                                   if (waits(*head) && !visit(head->sequence, messages)) {
                                     return false;
                                   }
                                 }
                                 return true;
                               });
}

Result<FileView::Waiting> FileView::Peek(const std::string& destination, Lane lane, std::size_t max_messages,
                                         std::uint64_t max_bytes) {
  const std::optional<DestinationId> id = state_->FindDestination(destination);
  if (!id) {
    return Error{ErrorCode::kNotFound, "no destination \"" + destination + "\" in the queue"};
  }
  Waiting waiting;
  const PendingRanges* pending = state_->FindPendingRanges(*id, lane);
  waiting.messages = pending == nullptr ? 0 : pending->waiting();
  std::uint64_t bytes = 0;
  Status visited = ForEachWaiting(*id, lane, [&](Sequence sequence, const SegmentReader& at) {
    waiting.next.push_back(StoredMessage{sequence, at.Take()});
    state_->clock_epochs().Correct(lane, sequence, waiting.next.back().message);
    bytes += at.payload().size();
    return waiting.next.size() < max_messages && bytes < max_bytes;
  });
  return visited ? Result<Waiting>(std::move(waiting)) : Result<Waiting>(visited.error());
}

Result<std::vector<FileView::PendingSummary>> FileView::PendingSummaries() {
  std::vector<PendingSummary> summaries;
  for (const std::string& name : state_->Destinations()) {
    const DestinationId id = *state_->FindDestination(name);
    PendingSummary summary{name, 0, {}};
    std::optional<WallTime> oldest = state_->OldestUnsettled(id);
    for (const Lane lane : kAllLanes) {
      summary.pending += state_->PendingMessages(id, lane);
      Status visited = ForEachWaiting(id, lane, [&](Sequence sequence, const SegmentReader& at) {
        RawMessage message = at.Take();
        state_->clock_epochs().Correct(lane, sequence, message);
        oldest = oldest ? std::min(*oldest, message.received_at) : message.received_at;
        return false;  // the first one is the oldest
      });
      RETURN_IF_ERROR(visited);
    }
    summary.oldest_at = oldest.value_or(WallTime{});
    summaries.push_back(std::move(summary));
  }
  return summaries;
}

Result<Stats> FileView::Snapshot() {
  const Result<std::vector<PendingSummary>> summaries = PendingSummaries();
  RETURN_IF_ERROR(summaries);
  const auto count = [](std::int64_t number) { return static_cast<std::uint64_t>(std::max<std::int64_t>(number, 0)); };
  const SegmentTotals held = state_->held();
  Stats stats;
  stats.queue_id = ids_.current();
  const Result<std::uint64_t> bytes = reader_.BytesInUse();
  const Result<SegmentTotals> retained = reader_.Retained(state_->Needed());
  if (!bytes || !retained) {
    return bytes ? retained.error() : bytes.error();
  }
  stats.bytes = *bytes;
  stats.retained_messages = count(retained->messages);
  stats.retained_bytes = count(retained->payload_bytes);
  stats.most_waiting = state_->MostWaiting();
  stats.messages = count(held.messages - retained->messages);
  stats.segments = count(held.segments);
  stats.payload_bytes_stored = count(held.payload_bytes);
  stats.dead_letters = count(state_->dead());
  stats.suspects = state_->suspects().all().size();
  stats.quarantined = count(state_->quarantined());
  for (const PendingSummary& summary : *summaries) {
    if (summary.oldest_at != WallTime{} && (stats.oldest_at == WallTime{} || summary.oldest_at < stats.oldest_at)) {
      stats.oldest_at = summary.oldest_at;
    }
  }
  return stats;
}

}  // namespace packhorse::queue
