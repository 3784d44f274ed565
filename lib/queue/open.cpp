#include "queue/open.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <utility>

#include "queue/bring_forward.h"
#include "queue/configuration.h"
#include "queue/identity.h"
#include "queue/message_codec.h"
#include "queue/outside.h"
#include "queue/sqlite/boots.h"
#include "queue/sqlite/exchange.h"
#include "queue/sqlite/quarantine.h"
#include "queue/sqlite/replays.h"
#include "queue/sqlite/rows.h"
#include "queue/sqlite/salvage.h"
#include "queue/sqlite/schema.h"
#include "queue/sqlite/suspects.h"
#include "queue/writable.h"

namespace packhorse::queue {
namespace {

Status LoadLanes(Database& db, Index& index) {
  Result<Statement> rows = db.Prepare("SELECT lane, next_sequence, segments, messages, payload_bytes FROM lanes");
  if (!rows) {
    return rows.error();
  }
  Status read = rows->ForEach([&] {
    const auto lane = static_cast<Lane>(rows->Int(0));
    index.SetNumbers(lane, Numbers{static_cast<Sequence>(rows->Int(1))});
    index.SetHeld(lane, Held{rows->Int(2), rows->Int(3), rows->Int(4)});
  });
  if (!read) {
    return read;
  }
  for (const Lane lane : kAllLanes) {
    Result<Statement> last =
        db.Prepare("SELECT last_sequence FROM segments WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1");
    if (!last) {
      return last.error();
    }
    const Result<bool> row = last->Bind(SegmentKey(lane, 0), SegmentKey(lane, kMaxSequence)).Step();
    if (!row) {
      return row.error();
    }
    if (*row) {
      index.SetStoredThrough(lane, static_cast<Sequence>(last->Int(0)));
    }
  }
  return {};
}

Status LoadLedger(Database& db, Index& index) {
  Result<Statement> rows = db.Prepare(
      "SELECT stream, destination, outcome, reason, sum(messages), sum(records) FROM ledger"
      " GROUP BY stream, destination, outcome, reason");
  if (!rows) {
    return rows.error();
  }
  LedgerChanges totals;
  Status read = rows->ForEach([&] {
    totals[LedgerKey{0, static_cast<StreamId>(rows->Int(0)), rows->Int(1), static_cast<int>(rows->Int(2)),
                     rows->Text(3)}] = LedgerCount{rows->Int(4), rows->Int(5)};
  });
  index.AddTotals(totals);
  return read;
}

Status LoadUnsettled(Database& db, Index& index) {
  Status read = ForEachBatch(db, BatchTable::kBatches, [&](FrozenBatch batch, DestinationId destination) {
    batch.destination = index.DestinationName(destination);
    index.AddUnsettled(destination, std::make_shared<const FrozenBatch>(std::move(batch)));
  });
  if (!read) {
    return read;
  }
  Result<Statement> partials = db.Prepare("SELECT destination, lane, sequence, settled, worst FROM partials");
  if (!partials) {
    return partials.error();
  }
  return partials->ForEach([&] {
    index.AddPartial(
        PartialKey{partials->Int(0), static_cast<Lane>(partials->Int(1)), static_cast<Sequence>(partials->Int(2))},
        Partial{static_cast<std::uint32_t>(partials->Int(3)), static_cast<Outcome>(partials->Int(4))});
  });
}

Status LoadBoots(Database& db, Index& index) {
  Result<Boots> boots = ReadBoots(db);
  if (!boots) {
    return boots.error();
  }
  index.SetBoots(*std::move(boots));
  return {};
}

// Format 1.0 did not say how many messages wait in each range: they are counted, once.
Status CountWaiting(Database& db, Reader& reader, Index& index) {
  const Result<std::int64_t> unknown = db.QueryInt("SELECT count(*) FROM pending WHERE waiting IS NULL");
  if (!unknown || *unknown == 0) {
    return unknown ? Status() : Status(unknown.error());
  }
  index.ForgetWaiting();
  for (const Lane lane : kAllLanes) {
    const auto count = [&](Sequence first, Sequence, const std::string& plain) -> Result<bool> {
      SegmentReader messages(plain, first);
      while (!messages.AtEnd()) {
        const Result<SegmentReader::Head> head = messages.Next();
        if (!head) {
          return head.error();
        }
        index.CountWaiting(lane, head->sequence, head->stream);
      }
      return true;
    };
    if (Status visited = reader.VisitSegments(lane, 0, count); !visited) {
      return visited;
    }
  }
  return {};
}

}  // namespace

Result<std::string> MetaText(Database& db, const char* key) {
  Result<Statement> query = db.Prepare("SELECT value FROM meta WHERE key = ?");
  if (!query) {
    return query.error();
  }
  const Result<bool> row = query->Bind(std::string_view(key)).Step();
  if (!row) {
    return row.error();
  }
  if (!*row) {
    return Error{ErrorCode::kCorrupt, std::string("the queue has no ") + key};
  }
  return query->Text(0);
}

Result<std::uint64_t> MetaNumber(Database& db, const char* key) {
  const Result<std::string> text = MetaText(db, key);
  return text ? Result<std::uint64_t>(std::strtoull(text->c_str(), nullptr, 10)) : text.error();
}

Status LoadIndex(Database& db, Reader& reader, Index& index) {
  const Result<StoredConfiguration> stored = ReadConfiguration(db);
  if (!stored) {
    return stored.error();
  }
  Install(*stored, {}, index);
  for (const auto load : {LoadLanes, LoadLedger, LoadUnsettled, LoadBoots, LoadReplays, LoadSuspects, LoadRetrying}) {
    if (Status loaded = load(db, index); !loaded) {
      return loaded;
    }
  }
  const Result<std::int64_t> dead = db.QueryInt("SELECT count(*) FROM dead");
  const Result<std::int64_t> quarantined = db.QueryInt("SELECT count(*) FROM quarantine");
  if (!dead || !quarantined) {
    return dead ? quarantined.error() : dead.error();
  }
  index.SetKept(*dead, *quarantined);
  return CountWaiting(db, reader, index);
}

namespace {

// What of the database was found before it was opened.
struct Found {
  std::optional<Salvaged> salvaged;
  bool fresh = false;     // none, or an empty one
  bool log_lost = false;  // its write-ahead log was missing or had no header
};

// The state of a queue whose lock is held.
Result<Opened> Load(const Options& options, const Found& found, Outside& outside, const Clock& clock) {
  Result<Books> books = Books::Open(options.path, BooksLimits{options.max_settled_batches, options.max_given_up,
                                                              options.max_dead_letters, options.max_quarantined});
  if (!books) {
    return books.error();
  }
  Database& db = books->database();
  if (Status prepared = PrepareSchema(db); !prepared) {
    return prepared.error();
  }
  Result<Reader> reader = Reader::Open(options.path);
  if (!reader) {
    return reader.error();
  }
  const Result<Meta> meta = LoadMeta(db);
  if (!meta) {
    return meta.error();
  }
  Opened opened{
      std::nullopt,       std::nullopt,      nullptr,      meta->ids, std::make_unique<Index>(options.cache_bytes),
      *std::move(reader), *std::move(books), std::nullopt, 0,         0,
      StartReport{},      std::nullopt};
  opened.report.salvaged = found.salvaged;
  if (Status loaded = LoadIndex(opened.books.database(), opened.reader, *opened.index); !loaded) {
    return loaded.error();
  }
  if (Status brought = BringForward(opened, *meta, {outside, found.fresh, found.log_lost}, options, clock); !brought) {
    return brought.error();
  }
  // SQLite syncs the folder of a new file, and goes on when that fails.
  if (Status lasts = SyncDirectoryOf(options.path); !lasts) {
    return lasts.error();
  }
  return opened;
}

// A full disk may leave the whole log to be brought into the database, and a journal file to be folded. The database
// takes no more than its limit.
std::uint64_t BallastBytes(const Options& options) {
  const std::uint64_t most = kLogBytes + options.journal_bytes;
  return options.limits.max_bytes == 0 ? most : std::min(most, options.limits.max_bytes);
}

// On a full disk the ballast is given up for it, and the log that was left makes room for another fold.
Result<Opened> LoadWith(Ballast& ballast, const Options& options, const Found& found, Outside& outside,
                        const Clock& clock) {
  Result<Opened> opened = Load(options, found, outside, clock);
  bool more = true;
  while (!opened && opened.error().code == ErrorCode::kDiskFull && more) {
    more = ballast.GiveUp();
    if (Result<Books> books = Books::Open(options.path, BooksLimits{}); books) {
      static_cast<void>(books->Shrink(0));
    }
    opened = Load(options, found, outside, clock);
  }
  return opened;
}

// Why the database is to be salvaged before it is opened; nothing says so. SQLite would take an empty one for new, and
// remove the log that holds what was in it.
std::optional<std::string> KnownDamage(const std::string& path, const Outside& outside) {
  if (FileBytes(path) == 0 && FileBytes(path + "-wal") > 0 && outside.known()) {
    return std::string(Exists(path) ? "the database is empty" : "the database is gone") +
           ", its write-ahead log is still there";
  }
  return NotedDamage(path);
}

// On a full disk the ballast is given up for it.
Result<Salvaged> SalvageFor(const Options& options, const std::string& because, Ballast& ballast, const Clock& clock) {
  if (Status room = CheckSalvageRoom(options.path, ballast.held()); !room) {
    return Error(room.error()).With("salvage " + options.path + " (" + because + ")");
  }
  while (true) {
    Result<Salvaged> salvaged = Salvage(options.path, because, options.streams, options.destinations, clock.Wall());
    if (salvaged || salvaged.error().code != ErrorCode::kDiskFull || !ballast.GiveUp()) {
      return salvaged;
    }
  }
}

}  // namespace

Result<Opened> OpenQueue(const Options& options, const Clock& clock) {
  if (Status made = MakeParent(options.path); !made) {
    return made.error();
  }
  if (Status file = CheckIsFile(options.path); !file) {
    return file.error();
  }
  Result<Outside> outside = LookOutside(options);
  if (!outside) {
    return outside.error();
  }
  Result<std::optional<Salvaged>> finished = FinishSalvage(options.path);
  if (!finished) {
    return finished.error();
  }
  Found found{*std::move(finished), false, false};
  Ballast ballast(options.path + ".ballast", BallastBytes(options));
  bool made_now = false;
  const auto salvage = [&](const std::string& because) -> Status {
    Result<Salvaged> made = SalvageFor(options, because, ballast, clock);
    if (!made) {
      return made.error();
    }
    found.salvaged = *std::move(made);
    made_now = true;
    return {};
  };
  if (const std::optional<std::string> because = KnownDamage(options.path, *outside); because && !found.salvaged) {
    if (Status made = salvage(*because); !made) {
      return made.error();
    }
  }
  found.fresh = FileBytes(options.path) == 0;
  found.log_lost = !found.fresh && !LogHolds(options.path + "-wal");
  Result<Opened> opened = LoadWith(ballast, options, found, *outside, clock);
  if (!opened && opened.error().code == ErrorCode::kCorrupt && !made_now) {
    if (Status made = salvage(opened.error().message); !made) {
      return made.error();
    }
    opened = LoadWith(ballast, options, found, *outside, clock);
  }
  if (opened) {
    opened->lock = std::move(outside->lock);
    opened->runtime_lock = std::move(outside->runtime_lock);
    opened->witness = std::move(outside->witness);
    if (!outside->witness_error.empty()) {
      opened->report.witness_error = outside->witness_error;
    }
    if (Status taken = ballast.given_up() ? Status() : ballast.Take(); !taken) {
      opened->report.ballast_error = taken.error().message;
    }
    opened->ballast.emplace(std::move(ballast));
    ForgetSalvage(options.path);  // the last thing: a start that does not come so far tells it again
  }
  return opened;
}

}  // namespace packhorse::queue
