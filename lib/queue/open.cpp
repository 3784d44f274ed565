#include "queue/open.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <utility>

#include "base/random.h"
#include "queue/configuration.h"
#include "queue/identity.h"
#include "queue/message_codec.h"
#include "queue/operation.h"
#include "queue/sqlite/boots.h"
#include "queue/sqlite/definitions.h"
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

// The folder of the queue. A new queue must not vanish with it, also when it was made by a process that ended there.
Status MakeParent(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos || slash == 0) {
    return {};
  }
  const std::string parent = path.substr(0, slash);
  const bool made = mkdir(parent.c_str(), 0750) == 0;
  if (!made && errno != EEXIST) {
    return WriteError("make directory " + parent, errno);
  }
  if (!made && Exists(path)) {
    return {};
  }
  Status synced = SyncDirectoryOf(parent);
  return made ? synced : Status();  // one that was there may lie where we cannot read
}

Status LoadLanes(Database& db, Index& index) {
  Result<Statement> rows =
      db.Prepare("SELECT lane, reserved_through, next_sequence, segments, messages, payload_bytes FROM lanes");
  if (!rows) {
    return rows.error();
  }
  Status read = rows->ForEach([&] {
    const auto lane = static_cast<Lane>(rows->Int(0));
    index.SetNumbers(lane, Numbers{static_cast<Sequence>(rows->Int(2)), static_cast<Sequence>(rows->Int(1))});
    index.SetHeld(lane, Held{rows->Int(3), rows->Int(4), rows->Int(5)});
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

// Brings the index from where the database is to where the process was when it ended.
Result<Position> ReplayJournal(const Journal::Options& journal, Position position, Index& index, MonoTime now,
                               StartReport& report) {
  const auto apply = [&](Position, std::string_view bytes) -> Status {
    const Result<Operation> operation = DecodeOperation(bytes);
    if (!operation) {
      return operation.error();
    }
    if (const auto* arrival = std::get_if<ArrivalOp>(&*operation);
        arrival != nullptr && arrival->sequence < index.numbers(arrival->lane).next) {
      return {};  // carried over from the file before, from which it has just been read
    }
    if (Status fits = index.Check(*operation); !fits) {
      return fits;
    }
    index.Apply(*operation, now);
    ++report.operations;
    return {};
  };
  const Result<Journal::Left> left = Journal::Read(journal, position, apply);
  if (!left) {
    report.problem = left.error().message;
    report.how = StartReport::How::kWithoutJournal;
    return position;
  }
  report.strangers = left->strangers;
  if (left->found && !left->other_boot) {
    report.how = StartReport::How::kRecovered;
  }
  return left->through;
}

// After a power cut some numbers were used of which nothing is left: the rest of each block is skipped.
void SkipNumbers(Index& index) {
  for (const Lane lane : kAllLanes) {
    const Numbers numbers = index.numbers(lane);
    index.SetNumbers(lane, Numbers{std::max(numbers.next, numbers.reserved_through + 1), numbers.reserved_through});
  }
}

std::array<Sequence, kLanes> LastNumbers(const Index& index) {
  std::array<Sequence, kLanes> last{};
  for (const Lane lane : kAllLanes) {
    last.at(At(lane)) = index.last(lane);
  }
  return last;
}

// Everything that was only in the journal goes into the database, with the configuration; from here on the journal's
// entries carry `epoch`.
Status FirstFold(Opened& opened, const Options& options, const Renewal& renewal, std::uint64_t epoch) {
  Index& index = *opened.index;
  const FoldWork work = index.TakeFold(opened.position);
  const std::array<Sequence, kLanes> last = LastNumbers(index);
  const auto change = [&](Database& db) -> Result<LedgerChanges> {
    StoredCount count;  // nobody waits for a queue that is being opened: all at once
    Result<LedgerChanges> configured = ApplyConfiguration(db, options.streams, options.destinations, last, count);
    if (!configured) {
      return configured;
    }
    if (Status kept = KeepDefinitions(db, options.streams, last); !kept) {
      return kept.error();
    }
    if (Status identified = WriteIdentity(db, renewal, options.machine, last); !identified) {
      return identified.error();
    }
    Status begun = db.Execute("UPDATE meta SET value = '" + std::to_string(epoch) + "' WHERE key = 'epoch'");
    return begun ? std::move(configured) : begun.error();
  };
  const Result<FoldResult> folded = opened.books.Write(work, change);
  if (!folded) {
    return folded.error();
  }
  index.Folded(work, *folded);
  index.CatchUp(folded->counted);
  Result<QueueIds> ids = LoadIds(opened.books.database());
  if (!ids) {
    return ids.error();
  }
  opened.ids = *std::move(ids);
  index.ReleaseClock();
  const Result<StoredConfiguration> stored = ReadConfiguration(opened.books.database());
  if (!stored) {
    return stored.error();
  }
  Install(*stored, options.streams, index);
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

Result<LockFile> LockFile::Take(const std::string& path) {
  Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.valid()) {
    return WriteError("open " + path, errno);
  }
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    const Result<std::string> holder = ReadFile(path, 64);
    return Error{ErrorCode::kBusy,
                 "the queue is in use by process " + (holder ? *holder : "?") + "; two daemons cannot share a queue"};
  }
  // In this order it needs no new room on a disk that is full.
  const std::string pid = std::to_string(getpid());
  if (pwrite(fd.get(), pid.data(), pid.size(), 0) < 0 || ftruncate(fd.get(), static_cast<off_t>(pid.size())) != 0) {
    return ErrnoError("write " + path, errno);
  }
  return LockFile(std::move(fd));
}

namespace {

// What the database says of itself.
struct Meta {
  QueueIds ids;
  bool clean = false;
  Position position = 0;
  std::uint64_t epoch = 0;
};

Result<Meta> LoadMeta(Database& db) {
  Result<QueueIds> ids = LoadIds(db);
  const Result<std::uint64_t> clean = MetaNumber(db, "clean");
  const Result<std::uint64_t> position = MetaNumber(db, "position");
  const Result<std::uint64_t> epoch = MetaNumber(db, "epoch");
  for (const auto* number : {&clean, &position, &epoch}) {
    if (!*number) {
      return number->error();
    }
  }
  if (!ids) {
    return ids.error();
  }
  return Meta{*std::move(ids), *clean != 0, *position, *epoch};
}

// From the state of the database to the present, and a journal to go on with.
Status BringForward(Opened& opened, const Meta& meta, const Options& options, Doubts doubts, const Clock& clock) {
  StartReport& report = opened.report;
  SetRetention(options.streams, *opened.index);  // before what is only in the journal could be let go
  report.how = meta.clean ? StartReport::How::kClean : StartReport::How::kWithoutJournal;
  opened.position = meta.position;
  Journal::Options journal{options.runtime_dir, options.journal_bytes, meta.ids.current(), clock.BootId(), meta.epoch};
  if (!meta.clean) {
    const Result<Position> through = ReplayJournal(journal, meta.position, *opened.index, clock.Mono(), report);
    if (!through) {
      return through.error();
    }
    opened.position = *through;
  }
  if (report.how == StartReport::How::kWithoutJournal) {
    SkipNumbers(*opened.index);
  }
  doubts.log_missing = doubts.log_missing && report.how == StartReport::How::kWithoutJournal;
  const Result<Renewal> renewal = DecideRenewal(opened.books.database(), doubts);
  if (!renewal) {
    return renewal.error();
  }
  const bool forgot = report.how == StartReport::How::kWithoutJournal && clock.Boot() >= options.clock_wait;
  opened.index->BeginBoot({clock.BootId(), clock.Boot(), WallAtBoot(clock), clock.Synchronized(), forgot});
  journal.epoch = RandomSeed() >> 1U;  // SQLite's integers are signed
  if (Status folded = FirstFold(opened, options, *renewal, journal.epoch); !folded) {
    return folded;
  }
  if (!renewal->id.empty()) {
    report.renewed_from = journal.queue_id;
    report.renewed_because = renewal->because;
    journal.queue_id = renewal->id;
  }
  Result<Journal> made = Journal::Create(journal, opened.position + 1);
  if (made) {
    opened.journal = *std::move(made);
  } else {
    report.journal_error = made.error().message;
  }
  return {};
}

// The state of a queue whose lock is held.
Result<Opened> Load(const Options& options, const std::optional<Salvaged>& salvaged, const Clock& clock) {
  const bool log_missing = FileBytes(options.path) > 0 && !Exists(options.path + "-wal");
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
  Opened opened{std::nullopt,
                meta->ids,
                std::make_unique<Index>(options.cache_bytes),
                *std::move(reader),
                *std::move(books),
                std::nullopt,
                0,
                StartReport{},
                std::nullopt};
  opened.report.salvaged = salvaged;
  if (Status loaded = LoadIndex(opened.books.database(), opened.reader, *opened.index); !loaded) {
    return loaded.error();
  }
  const Doubts doubts{options.machine, log_missing && !meta->clean, salvaged.has_value()};
  if (Status brought = BringForward(opened, *meta, options, doubts, clock); !brought) {
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
Result<Opened> LoadWith(Ballast& ballast, const Options& options, const std::optional<Salvaged>& salvaged,
                        const Clock& clock) {
  Result<Opened> opened = Load(options, salvaged, clock);
  bool more = true;
  while (!opened && opened.error().code == ErrorCode::kDiskFull && more) {
    more = ballast.GiveUp();
    if (Result<Books> books = Books::Open(options.path, BooksLimits{}); books) {
      static_cast<void>(books->Shrink(0));
    }
    opened = Load(options, salvaged, clock);
  }
  return opened;
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
  Result<LockFile> lock = LockFile::Take(options.path + ".lock");
  if (!lock) {
    return lock.error();
  }
  Result<std::optional<Salvaged>> finished = FinishSalvage(options.path);
  if (!finished) {
    return finished.error();
  }
  std::optional<Salvaged> salvaged = *std::move(finished);
  Ballast ballast(options.path + ".ballast", BallastBytes(options));
  bool made_now = false;
  const auto salvage = [&](const std::string& because) -> Status {
    Result<Salvaged> made = SalvageFor(options, because, ballast, clock);
    if (!made) {
      return made.error();
    }
    salvaged = *std::move(made);
    made_now = true;
    return {};
  };
  if (const std::optional<std::string> because = NotedDamage(options.path); because && !salvaged) {
    if (Status made = salvage(*because); !made) {
      return made.error();
    }
  }
  Result<Opened> opened = LoadWith(ballast, options, salvaged, clock);
  if (!opened && opened.error().code == ErrorCode::kCorrupt && !made_now) {
    if (Status made = salvage(opened.error().message); !made) {
      return made.error();
    }
    opened = LoadWith(ballast, options, salvaged, clock);
  }
  if (opened) {
    opened->lock.emplace(*std::move(lock));
    if (Status taken = ballast.given_up() ? Status() : ballast.Take(); !taken) {
      opened->report.ballast_error = taken.error().message;
    }
    opened->ballast.emplace(std::move(ballast));
    ForgetSalvage(options.path);  // the last thing: a start that does not come so far tells it again
  }
  return opened;
}

}  // namespace packhorse::queue
