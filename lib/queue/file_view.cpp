#include "queue/file_view.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/file.h"
#include "queue/identity.h"
#include "queue/journal.h"
#include "queue/open.h"
#include "queue/sqlite/schema.h"
#include "queue/sqlite/suspects.h"
#include "queue/writable.h"
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
  const std::string folder = path.substr(0, path.rfind('/') + 1);
  if (access((path + "-shm").c_str(), R_OK) == 0) {
    return error;
  }
  if (OnReadOnlyMedium(path)) {
    return Error{ErrorCode::kPermissionDenied, error.message + "; SQLite must be able to write " + path +
                                                   "-shm for that: copy the folder to where it can, and look there"};
  }
  if (access(folder.empty() ? "." : folder.c_str(), W_OK) != 0) {
    return Error{ErrorCode::kPermissionDenied,
                 error.message + "; SQLite must be able to write " + path + "-shm for that: try again with sudo"};
  }
  return error;
}

Result<FileView::Unfolded> ReadUnfolded(Database& db, const std::string& queue_id, const std::string& runtime_dir) {
  const Result<std::uint64_t> clean = MetaNumber(db, "clean");
  const Result<std::uint64_t> position = MetaNumber(db, "position");
  const Result<std::uint64_t> epoch = MetaNumber(db, "epoch");
  for (const auto* number : {&clean, &position, &epoch}) {
    if (!*number) {
      return number->error();
    }
  }
  FileView::Unfolded unfolded;
  if (*clean != 0) {
    return unfolded;
  }
  const auto count = [&](Position, std::string_view bytes) -> Status {
    ++unfolded.operations;
    unfolded.bytes += bytes.size();
    return {};
  };
  const Result<Journal::Left> left =
      Journal::Read(Journal::Options{runtime_dir, 0, queue_id, BootId(), *epoch, ""}, *position, count);
  if (!left) {
    unfolded.problem = left.error().message;
  }
  return unfolded;
}

}  // namespace

Result<FileView> FileView::Open(const std::string& path, const std::string& runtime_dir) {
  if (Status readable = CheckAccess(path); !readable) {
    return readable.error();
  }
  Result<Database> db = Database::Open(path, Database::Mode::kReadOnly);
  if (!db) {
    return Explain(db.error(), path);
  }
  if (Status known = CheckCurrent(*db); !known) {
    return Explain(known.error(), path);
  }
  Result<Reader> reader = Reader::Open(path);
  if (!reader) {
    return reader.error();
  }
  Result<QueueIds> ids = LoadIds(*db);
  if (!ids) {
    return ids.error();
  }
  FileView view(*std::move(ids), *std::move(reader));
  if (Status loaded = LoadIndex(*db, view.reader_, *view.index_); !loaded) {
    return loaded.error();
  }
  Result<Unfolded> unfolded = ReadUnfolded(*db, view.ids_.current(), runtime_dir);
  if (!unfolded) {
    return unfolded.error();
  }
  view.unfolded_ = *std::move(unfolded);
  return view;
}

template <typename Letter>
void FileView::SetRecordId(Letter& letter) const {
  letter.record_id = RecordId(ids_.Of(letter.lane, letter.sequence), letter.lane, letter.sequence,
                              letter.total_records > 1 ? std::optional(letter.record) : std::nullopt);
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
  const std::optional<DeadKey> key = index_->suspects().FindId(id);
  if (!key) {
    return Error{ErrorCode::kNotFound, "no suspect " + std::to_string(id)};
  }
  Result<SuspectContent> content = reader_.Suspect(*key);
  Result<Suspect> suspect =
      content ? Describe(*key, *std::move(content), index_->suspects().Find(*key)->retrying) : content.error();
  if (suspect) {
    suspect->destination = index_->DestinationName(key->destination);
    suspect->stream_name = index_->StreamName(suspect->stream);
    SetRecordId(*suspect);
  }
  return suspect;
}

Result<std::vector<Suspect>> FileView::Suspects(std::size_t limit, std::int64_t after_id) {
  std::vector<Suspect> suspects;
  for (const std::int64_t id : index_->suspects().Ids(std::nullopt, limit, after_id)) {
    Result<Suspect> suspect = FindSuspect(id);
    if (!suspect) {
      return suspect.error();
    }
    suspects.push_back(*std::move(suspect));
  }
  return suspects;
}

Result<Whereabouts> FileView::Where(Lane lane, Sequence sequence, std::optional<std::uint32_t> record) {
  Result<Whereabouts> found = reader_.Where(lane, sequence, record);
  if (found) {
    if (Result<StoredMessage> stored = reader_.Message(lane, sequence); stored && found->received_at != WallTime{}) {
      index_->boots().Correct(lane, sequence, stored->message);
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
  const Index::Backlog* backlog = index_->FindBacklog(destination, lane);
  if (backlog == nullptr || backlog->waiting() == 0) {
    return {};
  }
  const std::vector<Index::Range>& ranges = backlog->ranges;
  const auto first_range =
      std::find_if(ranges.begin(), ranges.end(), [](const auto& each) { return each.waiting > 0; });
  const auto waits = [&](const SegmentReader::Head& head) {
    return std::any_of(first_range, ranges.end(),
                       [&](const Index::Range& range) {
                         return head.sequence >= range.from && (!range.through || head.sequence <= *range.through);
                       }) &&
           index_->Subscribed(destination, head.stream, lane, head.sequence);
  };
  return reader_.VisitSegments(lane, first_range->from,
                               [&](Sequence first, Sequence, const std::string& plain) -> Result<bool> {
                                 SegmentReader messages(plain, first);
                                 while (!messages.AtEnd()) {
                                   const Result<SegmentReader::Head> head = messages.Next();
                                   if (!head) {
                                     return head.error();
                                   }
                                   if (waits(*head) && !visit(head->sequence, messages)) {
                                     return false;
                                   }
                                 }
                                 return true;
                               });
}

Result<FileView::Waiting> FileView::Peek(const std::string& destination, Lane lane, std::size_t max_messages,
                                         std::uint64_t max_bytes) {
  const std::optional<DestinationId> id = index_->FindDestination(destination);
  if (!id) {
    return Error{ErrorCode::kNotFound, "no destination \"" + destination + "\" in the queue"};
  }
  Waiting waiting;
  const Index::Backlog* backlog = index_->FindBacklog(*id, lane);
  waiting.messages = backlog == nullptr ? 0 : backlog->waiting();
  std::uint64_t bytes = 0;
  Status visited = ForEachWaiting(*id, lane, [&](Sequence sequence, const SegmentReader& at) {
    waiting.next.push_back(StoredMessage{sequence, at.Take()});
    index_->boots().Correct(lane, sequence, waiting.next.back().message);
    bytes += at.payload().size();
    return waiting.next.size() < max_messages && bytes < max_bytes;
  });
  return visited ? Result<Waiting>(std::move(waiting)) : Result<Waiting>(visited.error());
}

Result<std::vector<FileView::Backlog>> FileView::Backlogs() {
  std::vector<Backlog> backlogs;
  for (const std::string& name : index_->Destinations()) {
    const DestinationId id = *index_->FindDestination(name);
    Backlog backlog{name, 0, {}};
    std::optional<WallTime> oldest = index_->OldestUnsettled(id);
    for (const Lane lane : kAllLanes) {
      backlog.pending += index_->PendingMessages(id, lane);
      Status visited = ForEachWaiting(id, lane, [&](Sequence sequence, const SegmentReader& at) {
        RawMessage message = at.Take();
        index_->boots().Correct(lane, sequence, message);
        oldest = oldest ? std::min(*oldest, message.received_at) : message.received_at;
        return false;  // the first one is the oldest
      });
      if (!visited) {
        return visited.error();
      }
    }
    backlog.oldest_at = oldest.value_or(WallTime{});
    backlogs.push_back(std::move(backlog));
  }
  return backlogs;
}

Result<Stats> FileView::Snapshot() {
  const Result<std::vector<Backlog>> backlogs = Backlogs();
  if (!backlogs) {
    return backlogs.error();
  }
  const auto count = [](std::int64_t number) { return static_cast<std::uint64_t>(std::max<std::int64_t>(number, 0)); };
  const Held held = index_->held();
  Stats stats;
  stats.queue_id = ids_.current();
  const Result<std::uint64_t> bytes = reader_.BytesInUse();
  const Result<Held> retained = reader_.Retained(index_->Needed());
  if (!bytes || !retained) {
    return bytes ? retained.error() : bytes.error();
  }
  stats.bytes = *bytes;
  stats.retained_messages = count(retained->messages);
  stats.retained_bytes = count(retained->payload_bytes);
  stats.most_waiting = index_->MostWaiting();
  stats.messages = count(held.messages - retained->messages);
  stats.segments = count(held.segments);
  stats.payload_bytes_stored = count(held.payload_bytes);
  stats.dead_letters = count(index_->dead());
  stats.suspects = index_->suspects().all().size();
  stats.quarantined = count(index_->quarantined());
  for (const Backlog& backlog : *backlogs) {
    if (backlog.oldest_at != WallTime{} && (stats.oldest_at == WallTime{} || backlog.oldest_at < stats.oldest_at)) {
      stats.oldest_at = backlog.oldest_at;
    }
  }
  return stats;
}

}  // namespace packhorse::queue
