#include "queue/recovery/open.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <utility>

#include "queue/checkpoint/configuration.h"
#include "queue/recovery/claimed_files.h"
#include "queue/recovery/exchange.h"
#include "queue/recovery/identity.h"
#include "queue/recovery/redo.h"
#include "queue/recovery/salvage.h"
#include "queue/segment/message_codec.h"
#include "queue/sqlite/writable.h"
#include "queue/tables/clock_table.h"
#include "queue/tables/quarantine_table.h"
#include "queue/tables/replay_table.h"
#include "queue/tables/rows.h"
#include "queue/tables/schema.h"
#include "queue/tables/suspect_table.h"

namespace packhorse::queue {
namespace {

Status LoadLanes(Database& db, QueueState& state) {
  Result<Statement> rows = db.Prepare("SELECT lane, next_sequence, segments, messages, payload_bytes FROM lanes");
  RETURN_IF_ERROR(rows);
  Status read = rows->ForEach([&] {
    const auto lane = static_cast<Lane>(rows->Int(0));
    state.SetNumbers(lane, Numbers{static_cast<Sequence>(rows->Int(1))});
    state.SetSegmentTotals(lane, SegmentTotals{rows->Int(2), rows->Int(3), rows->Int(4)});
  });
  RETURN_IF_ERROR(read);
  for (const Lane lane : kAllLanes) {
    Result<Statement> last =
        db.Prepare("SELECT last_sequence FROM segments WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1");
    RETURN_IF_ERROR(last);
    const Result<bool> row = last->Bind(SegmentKey(lane, 0), SegmentKey(lane, kMaxSequence)).Step();
    RETURN_IF_ERROR(row);
    if (*row) {
      state.SetStoredThrough(lane, static_cast<Sequence>(last->Int(0)));
    }
  }
  return {};
}

Status LoadLedger(Database& db, QueueState& state) {
  Result<Statement> rows = db.Prepare(
      "SELECT stream, destination, outcome, reason, sum(messages), sum(records) FROM ledger"
      " GROUP BY stream, destination, outcome, reason");
  RETURN_IF_ERROR(rows);
  LedgerChanges totals;
  Status read = rows->ForEach([&] {
    totals[LedgerKey{0, static_cast<StreamId>(rows->Int(0)), rows->Int(1), static_cast<int>(rows->Int(2)),
                     rows->Text(3)}] = LedgerCount{rows->Int(4), rows->Int(5)};
  });
  state.AddTotals(totals);
  return read;
}

Status LoadUnsettled(Database& db, QueueState& state) {
  Status read = ForEachBatch(db, BatchTable::kBatches, [&](PreparedBatch batch, DestinationId destination) {
    batch.destination = state.DestinationName(destination);
    state.AddUnsettled(destination, std::make_shared<const PreparedBatch>(std::move(batch)));
  });
  RETURN_IF_ERROR(read);
  Result<Statement> partials = db.Prepare("SELECT destination, lane, sequence, settled, worst FROM partials");
  RETURN_IF_ERROR(partials);
  return partials->ForEach([&] {
    state.AddPartial(
        PartialKey{partials->Int(0), static_cast<Lane>(partials->Int(1)), static_cast<Sequence>(partials->Int(2))},
        Partial{static_cast<std::uint32_t>(partials->Int(3)), static_cast<Outcome>(partials->Int(4))});
  });
}

Status LoadClockEpochs(Database& db, QueueState& state) {
  Result<ClockEpochs> boots = ReadClockEpochs(db);
  RETURN_IF_ERROR(boots);
  state.SetClockEpochs(*std::move(boots));
  return {};
}

// Format 1.0 did not say how many messages wait in each range: they are counted, once.
Status CountWaiting(Database& db, Reader& reader, QueueState& state) {
  const Result<std::int64_t> unknown = db.QueryInt("SELECT count(*) FROM pending WHERE waiting IS NULL");
  if (!unknown || *unknown == 0) {
    return unknown ? Status() : Status(unknown.error());
  }
  state.ForgetWaiting();
  for (const Lane lane : kAllLanes) {
    const auto count = [&](Sequence first, Sequence, const std::string& plain) -> Result<bool> {
      SegmentReader messages(plain, first);
      while (!messages.AtEnd()) {
        const Result<SegmentReader::Head> head = messages.Next();
        RETURN_IF_ERROR(head);
        state.CountWaiting(lane, head->sequence, head->stream);
      }
      return true;
    };
    RETURN_IF_ERROR(reader.VisitSegments(lane, 0, count));
  }
  return {};
}

}  // namespace

Result<std::string> MetaText(Database& db, const char* key) {
  Result<Statement> query = db.Prepare("SELECT value FROM meta WHERE key = ?");
  RETURN_IF_ERROR(query);
  const Result<bool> row = query->Bind(std::string_view(key)).Step();
  RETURN_IF_ERROR(row);
  if (!*row) {
    return Error{ErrorCode::kCorrupt, std::string("the queue has no ") + key};
  }
  return query->Text(0);
}

Result<std::uint64_t> MetaNumber(Database& db, const char* key) {
  const Result<std::string> text = MetaText(db, key);
  return text ? Result<std::uint64_t>(std::strtoull(text->c_str(), nullptr, 10)) : text.error();
}

Status LoadQueueState(Database& db, Reader& reader, QueueState& state) {
  const Result<StoredConfiguration> stored = ReadConfiguration(db);
  RETURN_IF_ERROR(stored);
  Install(*stored, {}, state);
  for (const auto load :
       {LoadLanes, LoadLedger, LoadUnsettled, LoadClockEpochs, LoadReplays, LoadSuspects, LoadRetrying}) {
    RETURN_IF_ERROR(load(db, state));
  }
  const Result<std::int64_t> dead = db.QueryInt("SELECT count(*) FROM dead");
  const Result<std::int64_t> quarantined = db.QueryInt("SELECT count(*) FROM quarantine");
  if (!dead || !quarantined) {
    return dead ? quarantined.error() : dead.error();
  }
  state.SetKept(*dead, *quarantined);
  return CountWaiting(db, reader, state);
}

namespace {

// What of the database was found before it was opened.
struct Found {
  std::optional<Salvaged> salvaged;
  bool fresh = false;     // none, or an empty one
  bool log_lost = false;  // its write-ahead log was missing or had no header
};

// The state of a queue whose lock is held.
Result<Opened> Load(const Options& options, const Found& found, ClaimedFiles& claimed, const Clock& clock) {
  Result<CheckpointWriter> writer =
      CheckpointWriter::Open(options.path, TableLimits{options.max_settled_batches, options.max_given_up,
                                                       options.max_dead_letters, options.max_quarantined});
  RETURN_IF_ERROR(writer);
  Database& db = writer->database();
  RETURN_IF_ERROR(PrepareSchema(db));
  Result<Reader> reader = Reader::Open(options.path);
  RETURN_IF_ERROR(reader);
  const Result<Meta> meta = LoadMeta(db);
  RETURN_IF_ERROR(meta);
  Opened opened{std::nullopt,
                std::nullopt,
                nullptr,
                meta->ids,
                std::make_unique<QueueState>(options.cache_bytes),
                *std::move(reader),
                *std::move(writer),
                std::nullopt,
                0,
                0,
                StartReport{},
                std::nullopt};
  opened.report.salvaged = found.salvaged;
  RETURN_IF_ERROR(LoadQueueState(opened.writer.database(), opened.reader, *opened.state));
  RETURN_IF_ERROR(RedoJournal(opened, *meta, {claimed, found.fresh, found.log_lost}, options, clock));
  // SQLite syncs the folder of a new file, and goes on when that fails.
  RETURN_IF_ERROR(SyncDirectoryOf(options.path));
  return opened;
}

// A full disk may leave the whole log to be brought into the database, and a journal file to be checkpointed. The
// database takes no more than its limit.
std::uint64_t ReserveFileBytes(const Options& options) {
  const std::uint64_t most = kLogBytes + options.journal_bytes;
  return options.limits.max_bytes == 0 ? most : std::min(most, options.limits.max_bytes);
}

// On a full disk the reserve file is given up for it, and the log that was left makes room for another checkpoint.
Result<Opened> LoadWith(ReserveFile& reserve_file, const Options& options, const Found& found, ClaimedFiles& claimed,
                        const Clock& clock) {
  Result<Opened> opened = Load(options, found, claimed, clock);
  bool more = true;
  while (!opened && opened.error().code == ErrorCode::kDiskFull && more) {
    more = reserve_file.GiveUp();
    if (Result<CheckpointWriter> writer = CheckpointWriter::Open(options.path, TableLimits{}); writer) {
      static_cast<void>(writer->Shrink(0));
    }
    opened = Load(options, found, claimed, clock);
  }
  return opened;
}

// Why the database is to be salvaged before it is opened; nothing says so. SQLite would take an empty one for new, and
// remove the log that holds what was in it.
std::optional<std::string> KnownDamage(const std::string& path, const ClaimedFiles& claimed) {
  if (FileBytes(path) == 0 && FileBytes(path + "-wal") > 0 && claimed.known()) {
    return std::string(Exists(path) ? "the database is empty" : "the database is gone") +
           ", its write-ahead log is still there";
  }
  return NotedDamage(path);
}

// On a full disk the reserve file is given up for it.
Result<Salvaged> SalvageFor(const Options& options, const std::string& because, ReserveFile& reserve_file,
                            const Clock& clock) {
  if (Status room = CheckSalvageRoom(options.path, reserve_file.held()); !room) {
    return Error(room.error()).With("salvage " + options.path + " (" + because + ")");
  }
  while (true) {
    Result<Salvaged> salvaged = Salvage(options.path, because, options.streams, options.destinations, clock.Wall());
    if (salvaged || salvaged.error().code != ErrorCode::kDiskFull || !reserve_file.GiveUp()) {
      return salvaged;
    }
  }
}

}  // namespace

Result<Opened> OpenQueue(const Options& options, const Clock& clock) {
  RETURN_IF_ERROR(MakeParent(options.path));
  RETURN_IF_ERROR(CheckIsFile(options.path));
  Result<ClaimedFiles> claimed = ClaimFiles(options);
  RETURN_IF_ERROR(claimed);
  Result<std::optional<Salvaged>> finished = FinishSalvage(options.path);
  RETURN_IF_ERROR(finished);
  Found found{*std::move(finished), false, false};
  ReserveFile reserve_file(options.path + ".ballast", ReserveFileBytes(options));
  bool made_now = false;
  const auto salvage = [&](const std::string& because) -> Status {
    Result<Salvaged> made = SalvageFor(options, because, reserve_file, clock);
    RETURN_IF_ERROR(made);
    found.salvaged = *std::move(made);
    made_now = true;
    return {};
  };
  if (const std::optional<std::string> because = KnownDamage(options.path, *claimed); because && !found.salvaged) {
    RETURN_IF_ERROR(salvage(*because));
  }
  found.fresh = FileBytes(options.path) == 0;
  found.log_lost = !found.fresh && !LogHolds(options.path + "-wal");
  Result<Opened> opened = LoadWith(reserve_file, options, found, *claimed, clock);
  if (!opened && opened.error().code == ErrorCode::kCorrupt && !made_now) {
    RETURN_IF_ERROR(salvage(opened.error().message));
    opened = LoadWith(reserve_file, options, found, *claimed, clock);
  }
  if (opened) {
    opened->lock = std::move(claimed->lock);
    opened->runtime_lock = std::move(claimed->runtime_lock);
    opened->witness = std::move(claimed->witness);
    if (!claimed->witness_error.empty()) {
      opened->report.witness_error = claimed->witness_error;
    }
    if (Status taken = reserve_file.given_up() ? Status() : reserve_file.Take(); !taken) {
      opened->report.reserve_file_error = taken.error().message;
    }
    opened->reserve_file.emplace(std::move(reserve_file));
    ForgetSalvage(options.path);  // the last thing: a start that does not come so far tells it again
  }
  return opened;
}

}  // namespace packhorse::queue
