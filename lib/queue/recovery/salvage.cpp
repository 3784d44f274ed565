#include "queue/recovery/salvage.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <set>
#include <utility>

#include "base/file.h"
#include "queue/checkpoint/configuration.h"
#include "queue/ledger/ledger.h"
#include "queue/recovery/exchange.h"
#include "queue/recovery/salvage_suspects.h"
#include "queue/sqlite/copy_table.h"
#include "queue/sqlite/transaction.h"
#include "queue/tables/all_tables.h"
#include "queue/tables/reader.h"
#include "queue/tables/schema.h"

namespace packhorse::queue {
namespace {

constexpr std::size_t kMaxNoteBytes = 4'096;

std::string Note(const std::string& path) { return path + ".damage"; }

// What tells of messages that wait or are on their way. Without one of them it is not known any more what was sent.
constexpr const char* kSendingTables[] = {"pending", "subscriptions", "batches", "partials"};

// Makes the copied rows a queue again.
class Mending {
 public:
  Mending(Database& db, const std::vector<StreamOptions>& streams, const std::vector<DestinationOptions>& destinations,
          Salvaged& report)
      : db_(db), streams_(streams), destinations_(destinations), report_(report) {}

  Status Run() {
    const std::set<std::string> damaged(report_.damaged.begin(), report_.damaged.end());
    if (damaged.contains("streams") || damaged.contains("destinations")) {
      // Nobody knows any more whose messages these are.
      RETURN_IF_ERROR(Empty());
    }
    for (const char* table : kSendingTables) {
      report_.sent_again = report_.sent_again || damaged.contains(table);
    }
    RETURN_IF_ERROR(MendLanes());
    RETURN_IF_ERROR(MendQuarantine());
    RETURN_IF_ERROR(report_.sent_again ? MakePending() : Status());
    return MendSuspects(db_);
  }

 private:
  Status Empty() {
    report_.segments_lost += report_.segments_kept;
    report_.segments_kept = 0;
    RETURN_IF_ERROR(ForgetSending());
    return db_.Execute("DELETE FROM segments; DELETE FROM suspects");
  }

  Status ForgetSending() {
    for (const char* table : kSendingTables) {
      RETURN_IF_ERROR(db_.Execute(std::string("DELETE FROM ") + table));
    }
    return {};
  }

  // Numbers go on behind everything that is there; what the lanes hold is counted anew.
  Status MendLanes() {
    std::string sql = "INSERT OR IGNORE INTO lanes(lane, next_sequence) VALUES (0, 1), (1, 1), (2, 1);";
    for (const QueueTable& table : AllTables()) {
      if (table.last_number != nullptr) {
        sql += std::string("UPDATE lanes SET next_sequence = max(next_sequence, coalesce((SELECT max(") +
               table.last_number + ") FROM " + table.name + " WHERE " + table.lane + " = lanes.lane), 0) + 1);";
      }
    }
    sql +=
        "UPDATE lanes SET (segments, messages, payload_bytes) = (SELECT count(*), coalesce(sum(s.messages), 0),"
        " coalesce(sum(s.payload_bytes), 0) FROM segments AS s WHERE s.id >> 60 = lanes.lane);"
        "UPDATE pending SET waiting = NULL";
    return db_.Execute(sql);
  }

  // A message of which it is not known for whom it is in quarantine is so for all who were to get it. Whose batch is
  // lost is in quarantine again.
  Status MendQuarantine() {
    return db_.Execute(
        std::string(report_.sent_again ? "UPDATE quarantined_for SET retrying = 0;" : "") +
        "INSERT OR IGNORE INTO quarantined_for(lane, sequence, destination, reason)"
        " SELECT q.lane, q.sequence, s.destination, q.reason FROM quarantine AS q JOIN subscriptions AS s"
        " ON s.stream = q.stream AND s.lane = q.lane AND q.sequence >= s.from_sequence"
        " AND (s.through_sequence IS NULL OR q.sequence <= s.through_sequence)"
        " WHERE NOT EXISTS (SELECT 1 FROM quarantined_for AS f WHERE f.lane = q.lane AND f.sequence = q.sequence)");
  }

  // Everything stored waits for every destination that its stream has now.
  Status MakePending() {
    RETURN_IF_ERROR(ForgetSending());
    std::vector<DestinationOptions> names;  // where they would start is of no matter here
    for (const DestinationOptions& destination : destinations_) {
      names.emplace_back(destination.name);
    }
    StoredCount none;
    RETURN_IF_ERROR(ApplyConfiguration(db_, streams_, names, {0, 0, 0}, none));
    return db_.Execute("UPDATE pending SET waiting = NULL");
  }

  Database& db_;
  const std::vector<StreamOptions>& streams_;
  const std::vector<DestinationOptions>& destinations_;
  Salvaged& report_;
};

// The ledger after the loss: pending is what is stored, and received what is pending or ended.
class Balancing {
 public:
  Balancing(Database& db, const std::map<StoredAccount, std::int64_t>& stored, WallTime now)
      : db_(db), stored_(stored), hour_(HourOf(now)) {}

  // The number of pending messages that are gone.
  Result<std::uint64_t> Run() {
    RETURN_IF_ERROR(ReadLedger());
    RETURN_IF_ERROR(db_.Execute("DELETE FROM ledger WHERE outcome = " + std::to_string(kLedgerPending)));
    std::map<Account, std::int64_t> pending;
    for (const auto& [account, messages] : stored_) {
      pending[{account.stream, account.destination}] += messages;
      unaccounted_.try_emplace({account.stream, account.destination}, 0);
      RETURN_IF_ERROR(
          Add(0, account.stream, account.destination, kLedgerPending, std::string(1, Letter(account.lane)), messages));
    }
    std::uint64_t lost = 0;
    for (const auto& [account, known] : unaccounted_) {
      const std::int64_t gone = known - pending[account];
      const bool dropped = gone > 0;
      lost += dropped ? static_cast<std::uint64_t>(gone) : 0;
      const int outcome = dropped ? LedgerCode(Outcome::kDropped) : kLedgerReceived;
      if (gone == 0) {
        continue;
      }
      if (Status written =
              Add(hour_, account.first, account.second, outcome, dropped ? "damaged" : "", dropped ? gone : -gone);
          !written) {
        return written.error();
      }
    }
    return lost;
  }

 private:
  using Account = std::pair<StreamId, DestinationId>;

  Status ReadLedger() {
    Result<Statement> rows = db_.Prepare(
        "SELECT stream, destination, sum(CASE WHEN outcome = 0 THEN messages WHEN outcome >= 10 THEN -messages ELSE 0"
        " END) FROM ledger WHERE outcome <> 2 GROUP BY stream, destination");
    RETURN_IF_ERROR(rows);
    return rows->ForEach([&] { unaccounted_[{static_cast<StreamId>(rows->Int(0)), rows->Int(1)}] = rows->Int(2); });
  }

  Status Add(std::int32_t hour, StreamId stream, DestinationId destination, int outcome, std::string_view reason,
             std::int64_t messages) {
    Result<Statement> add = db_.Prepare(
        "INSERT INTO ledger(hour, stream, destination, outcome, reason, messages, records) VALUES (?, ?, ?, ?, ?, ?, 0)"
        " ON CONFLICT DO UPDATE SET messages = messages + excluded.messages");
    return add ? add->Bind(hour, stream, destination, outcome, reason, messages).Run() : Status(add.error());
  }

  Database& db_;
  const std::map<StoredAccount, std::int64_t>& stored_;
  const std::int32_t hour_;
  std::map<Account, std::int64_t> unaccounted_;  // received and not ended
};

// Copies what can be read of `from`, which may be unreadable altogether.
Status CopyAll(const std::string& from, Database& to, Salvaged& report) {
  Result<Database> damaged = Database::Open(from, Database::Mode::kReadOnly);
  for (const QueueTable& table : AllTables()) {
    if (!damaged) {
      report.damaged.emplace_back(table.name);
      continue;
    }
    const Result<Copied> copied = CopyTable(*damaged, to, {table.name, table.holds, table.newer});
    RETURN_IF_ERROR(copied);
    if (!copied->whole) {
      report.damaged.emplace_back(table.name);
    }
    if (std::string_view(table.name) == "segments") {
      report.segments_kept = copied->rows;
      report.segments_lost = copied->lost;
    }
  }
  return {};
}

Status Build(const std::string& path, const std::vector<StreamOptions>& streams,
             const std::vector<DestinationOptions>& destinations, WallTime now, Salvaged& report) {
  Result<Database> to = Database::Open(SalvagedFile(path), Database::Mode::kReadWriteCreate);
  RETURN_IF_ERROR(to);
  RETURN_IF_ERROR(PrepareSchema(*to));
  // One file to rename, synced as a whole at the end.
  RETURN_IF_ERROR(to->Execute("PRAGMA journal_mode = DELETE; PRAGMA synchronous = OFF"));
  Result<Transaction> copying = Transaction::Begin(*to, Transaction::Kind::kWrite);
  RETURN_IF_ERROR(copying);
  RETURN_IF_ERROR(CopyAll(path, *to, report));
  RETURN_IF_ERROR(WriteFormat(*to));
  RETURN_IF_ERROR(Mending(*to, streams, destinations, report).Run());
  RETURN_IF_ERROR(copying->Commit());
  Result<Reader> reader = Reader::Open(SalvagedFile(path));
  RETURN_IF_ERROR(reader);
  const Result<std::map<StoredAccount, std::int64_t>> stored = reader->CountStored();
  RETURN_IF_ERROR(stored);
  Result<Transaction> balancing = Transaction::Begin(*to, Transaction::Kind::kWrite);
  RETURN_IF_ERROR(balancing);
  const Result<std::uint64_t> lost = Balancing(*to, *stored, now).Run();
  RETURN_IF_ERROR(lost);
  report.messages_lost = *lost;
  return balancing->Commit();
}

}  // namespace

Result<Salvaged> Salvage(const std::string& path, const std::string& because, const std::vector<StreamOptions>& streams,
                         const std::vector<DestinationOptions>& destinations, WallTime now) {
  RemoveDatabase(SalvagedFile(path));
  Salvaged report;
  report.because = because;
  report.set_aside = DamagedPath(path);
  Status done = CheckSalvageRoom(path, 0);
  if (done) {
    done = PadDatabase(path);
  }
  if (done) {
    done = Build(path, streams, destinations, now, report);
  }
  if (done) {
    done = SyncFile(SalvagedFile(path));
  }
  if (!done) {
    RemoveDatabase(SalvagedFile(path));
    return Error(done.error()).With("salvage " + path + " (" + because + ")");
  }
  RETURN_IF_ERROR(Exchange(path, report));
  return report;
}

Result<std::optional<Salvaged>> FinishSalvage(const std::string& path) { return FinishExchange(path); }

void ForgetSalvage(const std::string& path) {
  unlink(Note(path).c_str());
  ForgetExchange(path);
}

void NoteDamage(const std::string& path, const std::string& because) {
  // Should that fail too, the damage is found again.
  (void)WriteFileAtomically(Note(path), because, 0600);
}

std::optional<std::string> NotedDamage(const std::string& path) {
  Result<std::string> because = ReadFile(Note(path), kMaxNoteBytes);
  if (!because && because.error().code == ErrorCode::kNotFound) {
    return std::nullopt;
  }
  return because ? *std::move(because) : std::string("damage was noted");
}

}  // namespace packhorse::queue
