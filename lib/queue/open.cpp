#include "queue/open.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <set>
#include <utility>

#include "queue/configuration.h"
#include "queue/message_codec.h"
#include "queue/sqlite/schema.h"

namespace packhorse::queue {
namespace {

Status MakeParent(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos || slash == 0) {
    return {};
  }
  const std::string parent = path.substr(0, slash);
  if (mkdir(parent.c_str(), 0750) != 0 && errno != EEXIST) {
    return ErrnoError("make directory " + parent, errno);
  }
  return {};
}

Result<std::string> QueueId(Database& db) {
  Result<Statement> query = db.Prepare("SELECT value FROM meta WHERE key = 'queue_id'");
  if (!query) {
    return query.error();
  }
  const Result<bool> row = query->Step();
  if (!row) {
    return row.error();
  }
  if (!*row) {
    return Error{ErrorCode::kCorrupt, "the queue has no id"};
  }
  return query->Text(0);
}

// Where the numbers of each lane go on, and marks the queue as in use.
Result<std::array<Store::Numbers, kLanes>> LoadNumbers(Database& db) {
  const Result<std::int64_t> clean = db.QueryInt("SELECT value = '1' FROM meta WHERE key = 'clean'");
  if (!clean) {
    return clean.error();
  }
  Result<Statement> rows = db.Prepare("SELECT lane, reserved_through, next_sequence FROM lanes");
  if (!rows) {
    return rows.error();
  }
  std::array<Store::Numbers, kLanes> numbers;
  while (true) {
    const Result<bool> more = rows->Step();
    if (!more) {
      return more.error();
    }
    if (!*more) {
      break;
    }
    const auto reserved = static_cast<Sequence>(rows->Int(1));
    const auto next = static_cast<Sequence>(rows->Int(2));
    numbers.at(static_cast<std::size_t>(rows->Int(0))) = Store::Numbers{*clean != 0 ? next : reserved + 1, reserved};
  }
  rows->Reset();
  if (Status marked = db.Execute("PRAGMA synchronous = FULL; UPDATE meta SET value = '0' WHERE key = 'clean'");
      !marked) {
    return marked.error();
  }
  return numbers;
}

Result<LedgerChanges> LoadLedger(Database& db) {
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
  if (!read) {
    return read.error();
  }
  return totals;
}

// Unsettled batches into the index; then what waits in the ranges is what is pending less what is frozen.
Result<BatchId> LoadBatches(Database& db, Index& index) {
  Result<Statement> rows = db.Prepare("SELECT id, destination, lane, first_sequence, oldest_at, members FROM batches");
  if (!rows) {
    return rows.error();
  }
  BatchId next = 1;
  std::map<std::pair<DestinationId, Lane>, std::set<Sequence>> frozen;
  while (true) {
    const Result<bool> more = rows->Step();
    if (!more) {
      return more.error();
    }
    if (!*more) {
      break;
    }
    next = std::max(next, rows->Int(0) + 1);
    const auto lane = static_cast<Lane>(rows->Int(2));
    index.Freeze(rows->Int(0), Index::Unsettled{rows->Int(1), lane, static_cast<Sequence>(rows->Int(3)),
                                                WallTime(std::chrono::microseconds(rows->Int(4)))});
    const Result<std::vector<Member>> members = DecodeMembers(rows->Blob(5));
    if (!members) {
      return members.error();
    }
    for (const Member& member : *members) {
      frozen[{rows->Int(1), lane}].insert(member.sequence);
    }
  }
  index.SetWaiting([&](DestinationId destination, Lane lane) {
    const std::uint64_t pending = index.PendingMessages(destination, lane);
    const std::uint64_t held = frozen[{destination, lane}].size();
    return pending > held ? pending - held : 0;
  });
  return next;
}

struct Loaded {
  std::unique_ptr<Index> index;
  BatchId next_batch = 1;
};

// Brings the configuration into the database, then the database into the index.
Result<Loaded> LoadIndex(Books& books, const Options& options, const std::array<Store::Numbers, kLanes>& numbers) {
  // Nothing below the next number is still to come: it is where a new range starts.
  std::array<Sequence, kLanes> last{};
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    last.at(lane) = numbers.at(lane).next - 1;
  }
  if (Status begun = books.Begin(true); !begun) {
    return begun.error();
  }
  if (Status configured = ApplyConfiguration(books, options.streams, options.destinations, last); !configured) {
    return configured.error();
  }
  if (Status committed = books.Commit(); !committed) {
    return committed.error();
  }
  Loaded loaded{std::make_unique<Index>(options.cache_bytes), 1};
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    loaded.index->SetLastCommitted(static_cast<Lane>(lane), last.at(lane));
  }
  if (Status configured = LoadConfiguration(books.database(), options.streams, *loaded.index); !configured) {
    return configured.error();
  }
  const Result<LedgerChanges> totals = LoadLedger(books.database());
  if (!totals) {
    return totals.error();
  }
  loaded.index->Apply(*totals);
  const Result<BatchId> next_batch = LoadBatches(books.database(), *loaded.index);
  if (!next_batch) {
    return next_batch.error();
  }
  loaded.next_batch = *next_batch;
  return loaded;
}

}  // namespace

Result<LockFile> LockFile::Take(const std::string& path) {
  Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.valid()) {
    return ErrnoError("open " + path, errno);
  }
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    const Result<std::string> holder = ReadFile(path, 64);
    return Error{ErrorCode::kBusy,
                 "the queue is in use by process " + (holder ? *holder : "?") + "; two daemons cannot share a queue"};
  }
  const std::string pid = std::to_string(getpid());
  if (ftruncate(fd.get(), 0) != 0 || pwrite(fd.get(), pid.data(), pid.size(), 0) < 0) {
    return ErrnoError("write " + path, errno);
  }
  return LockFile(std::move(fd));
}

Result<std::array<Sequence, kLanes>> LastStored(Database& db) {
  std::array<Sequence, kLanes> last{};
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    Result<Statement> query =
        db.Prepare("SELECT last_sequence FROM segments WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1");
    if (!query) {
      return query.error();
    }
    const auto which = static_cast<Lane>(lane);
    query->Bind(SegmentKey(which, 0), SegmentKey(which, (1ULL << kSegmentLaneShift) - 1));
    const Result<bool> row = query->Step();
    if (!row) {
      return row.error();
    }
    if (*row) {
      last.at(lane) = static_cast<Sequence>(query->Int(0));
    }
  }
  return last;
}

Result<Opened> OpenDatabase(const Options& options) {
  if (Status made = MakeParent(options.path); !made) {
    return made.error();
  }
  Result<LockFile> lock = LockFile::Take(options.path + ".lock");
  if (!lock) {
    return lock.error();
  }
  Result<Database> writer = Database::Open(options.path, Database::Mode::kReadWriteCreate);
  if (!writer) {
    return writer.error();
  }
  if (Status prepared = PrepareSchema(*writer); !prepared) {
    return prepared.error();
  }
  const Result<std::string> queue_id = QueueId(*writer);
  if (!queue_id) {
    return queue_id.error();
  }
  const Result<std::array<Store::Numbers, kLanes>> numbers = LoadNumbers(*writer);
  if (!numbers) {
    return numbers.error();
  }
  Result<Books> books = Books::Open(*std::move(writer));
  if (!books) {
    return books.error();
  }
  Result<Loaded> loaded = LoadIndex(*books, options, *numbers);
  if (!loaded) {
    return loaded.error();
  }
  Result<Reader> reader = Reader::Open(options.path);
  if (!reader) {
    return reader.error();
  }
  const Result<Books::Trimmed> held = reader->Held();
  if (!held) {
    return held.error();
  }
  return Opened{
      *std::move(lock), *queue_id, std::move(loaded->index), loaded->next_batch, *std::move(reader), *std::move(books),
      *numbers,         *held};
}

}  // namespace packhorse::queue
