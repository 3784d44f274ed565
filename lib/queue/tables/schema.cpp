#include "queue/tables/schema.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>

#include "base/random.h"
#include "queue/sqlite/transaction.h"

namespace packhorse::queue {
namespace {

// A checkpoint of a slow stream changes about ten pages whatever their size, most of them for a few bytes: smaller
// pages write less (decision 0008). Databases of earlier releases keep theirs of 4096.
constexpr int kPageBytes = 1024;

// Numbered migrations: the n-th brings user_version from n to n + 1. A released one is never edited.
constexpr std::array kMigrations = {
    R"sql(
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE lanes(lane INTEGER PRIMARY KEY, reserved_through INTEGER NOT NULL, next_sequence INTEGER NOT NULL);
INSERT INTO lanes VALUES (0, 0, 1), (1, 0, 1), (2, 0, 1);
CREATE TABLE streams(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE destinations(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE subscriptions(destination INTEGER NOT NULL, stream INTEGER NOT NULL, lane INTEGER NOT NULL,
  from_sequence INTEGER NOT NULL, through_sequence INTEGER,
  PRIMARY KEY(destination, stream, lane, from_sequence)) WITHOUT ROWID;
CREATE TABLE segments(id INTEGER PRIMARY KEY, last_sequence INTEGER NOT NULL, messages INTEGER NOT NULL,
  payload_bytes INTEGER NOT NULL, blob BLOB NOT NULL);
CREATE TABLE pending(id INTEGER PRIMARY KEY, destination INTEGER NOT NULL, lane INTEGER NOT NULL,
  from_sequence INTEGER NOT NULL, through_sequence INTEGER);
CREATE TABLE batches(id INTEGER PRIMARY KEY, destination INTEGER NOT NULL, lane INTEGER NOT NULL,
  first_sequence INTEGER NOT NULL, first_record INTEGER NOT NULL, idempotency_key TEXT NOT NULL, trace_id TEXT NOT NULL,
  contract TEXT NOT NULL, path TEXT NOT NULL, content_type TEXT NOT NULL, content_encoding TEXT NOT NULL,
  uncompressed_bytes INTEGER NOT NULL, records INTEGER NOT NULL, members BLOB NOT NULL, replayed INTEGER NOT NULL,
  created_at INTEGER NOT NULL, oldest_at INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE partials(destination INTEGER NOT NULL, lane INTEGER NOT NULL, sequence INTEGER NOT NULL,
  settled INTEGER NOT NULL, worst INTEGER NOT NULL, PRIMARY KEY(destination, lane, sequence)) WITHOUT ROWID;
CREATE TABLE dead(id INTEGER PRIMARY KEY AUTOINCREMENT, destination INTEGER NOT NULL, lane INTEGER NOT NULL,
  sequence INTEGER NOT NULL, record INTEGER NOT NULL, total_records INTEGER NOT NULL, stream INTEGER NOT NULL,
  died_at INTEGER NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL, provider_request_id TEXT NOT NULL,
  http_status INTEGER NOT NULL, batch_key TEXT NOT NULL, replaying INTEGER NOT NULL DEFAULT 0, message BLOB NOT NULL,
  UNIQUE(destination, lane, sequence, record));
CREATE TABLE quarantine(lane INTEGER NOT NULL, sequence INTEGER NOT NULL, stream INTEGER NOT NULL, at INTEGER NOT NULL,
  reason TEXT NOT NULL, detail TEXT NOT NULL, message BLOB NOT NULL, PRIMARY KEY(lane, sequence));
CREATE TABLE ledger(hour INTEGER NOT NULL, stream INTEGER NOT NULL, destination INTEGER NOT NULL,
  outcome INTEGER NOT NULL, reason TEXT NOT NULL, messages INTEGER NOT NULL, records INTEGER NOT NULL,
  PRIMARY KEY(hour, stream, destination, outcome, reason)) WITHOUT ROWID;
CREATE TABLE settled(id INTEGER PRIMARY KEY AUTOINCREMENT, idempotency_key TEXT NOT NULL, destination INTEGER NOT NULL,
  lane INTEGER NOT NULL, first_sequence INTEGER NOT NULL, last_sequence INTEGER NOT NULL, messages INTEGER NOT NULL,
  records INTEGER NOT NULL, dead INTEGER NOT NULL, settled_at INTEGER NOT NULL, http_status INTEGER NOT NULL,
  provider_request_id TEXT NOT NULL, trace_id TEXT NOT NULL, attempts INTEGER NOT NULL,
  possible_duplicate INTEGER NOT NULL);
)sql",
    // 1.1: the journal. How far the database is, how many messages wait in each range, what each lane holds.
    R"sql(
INSERT INTO meta VALUES ('position', '0'), ('epoch', '0');
ALTER TABLE pending ADD COLUMN waiting INTEGER;
ALTER TABLE lanes ADD COLUMN segments INTEGER NOT NULL DEFAULT 0;
ALTER TABLE lanes ADD COLUMN messages INTEGER NOT NULL DEFAULT 0;
ALTER TABLE lanes ADD COLUMN payload_bytes INTEGER NOT NULL DEFAULT 0;
UPDATE lanes SET (segments, messages, payload_bytes) = (SELECT count(*), coalesce(sum(s.messages), 0),
  coalesce(sum(s.payload_bytes), 0) FROM segments AS s WHERE s.id >> 60 = lanes.lane);
)sql",
    // 1.2: the machine that the queue id is bound to, and the ids that the queue had before.
    R"sql(
INSERT INTO meta VALUES ('machine', '');
CREATE TABLE earlier_ids(id INTEGER PRIMARY KEY, queue_id TEXT NOT NULL, urgent INTEGER NOT NULL,
  normal INTEGER NOT NULL, bulk INTEGER NOT NULL);
)sql",
    // 1.3: what the stamps of each boot's messages are worth.
    R"sql(
CREATE TABLE boots(id INTEGER PRIMARY KEY, boot_id TEXT NOT NULL, begun INTEGER NOT NULL, wall_then INTEGER NOT NULL,
  state INTEGER NOT NULL, wall_at_boot INTEGER NOT NULL, learnt INTEGER NOT NULL,
  from_urgent INTEGER NOT NULL, from_normal INTEGER NOT NULL, from_bulk INTEGER NOT NULL,
  as_stamped_urgent INTEGER NOT NULL, as_stamped_normal INTEGER NOT NULL, as_stamped_bulk INTEGER NOT NULL);
)sql",
    // 1.4: segments that stay for replays although nobody needs them, and the replays.
    R"sql(
CREATE TABLE retained(id INTEGER PRIMARY KEY, keep_ms INTEGER NOT NULL, until INTEGER);
CREATE INDEX retained_until ON retained(until);
CREATE TABLE replays(id INTEGER PRIMARY KEY, stream INTEGER NOT NULL, destination INTEGER NOT NULL,
  from_at INTEGER NOT NULL, to_at INTEGER NOT NULL, rate INTEGER NOT NULL, state INTEGER NOT NULL,
  asked_at INTEGER NOT NULL, ended_at INTEGER NOT NULL, lane INTEGER NOT NULL, next_sequence INTEGER NOT NULL,
  first_urgent INTEGER NOT NULL, first_normal INTEGER NOT NULL, first_bulk INTEGER NOT NULL,
  through_urgent INTEGER NOT NULL, through_normal INTEGER NOT NULL, through_bulk INTEGER NOT NULL,
  messages INTEGER NOT NULL, skipped INTEGER NOT NULL, records INTEGER NOT NULL, delivered INTEGER NOT NULL,
  refused INTEGER NOT NULL);
CREATE TABLE replay_batches(id INTEGER PRIMARY KEY, replay INTEGER NOT NULL, destination INTEGER NOT NULL,
  lane INTEGER NOT NULL, idempotency_key TEXT NOT NULL, trace_id TEXT NOT NULL, contract TEXT NOT NULL,
  path TEXT NOT NULL, content_type TEXT NOT NULL, content_encoding TEXT NOT NULL, uncompressed_bytes INTEGER NOT NULL,
  records INTEGER NOT NULL, members BLOB NOT NULL, created_at INTEGER NOT NULL, oldest_at INTEGER NOT NULL,
  body BLOB NOT NULL);
ALTER TABLE settled ADD COLUMN replay INTEGER NOT NULL DEFAULT 0;
)sql",
    // 2.0. Age: how long each boot ran and what its clock was worth.
    R"sql(
ALTER TABLE boots ADD COLUMN ran INTEGER NOT NULL DEFAULT 0;
ALTER TABLE boots ADD COLUMN synchronized_wall INTEGER;
ALTER TABLE boots ADD COLUMN several INTEGER NOT NULL DEFAULT 1;
ALTER TABLE retained ADD COLUMN boot INTEGER NOT NULL DEFAULT 0;
DROP INDEX retained_until;
CREATE INDEX retained_until ON retained(boot, until);
)sql"
    // Identity: what proves that a start goes on with this database, and what its numbers were called before.
    R"sql(
DELETE FROM meta WHERE key = 'machine';
INSERT OR IGNORE INTO meta VALUES ('fold', '0'), ('accepted', '');
CREATE TABLE lanes_without_reservation(lane INTEGER PRIMARY KEY, next_sequence INTEGER NOT NULL,
  segments INTEGER NOT NULL DEFAULT 0, messages INTEGER NOT NULL DEFAULT 0, payload_bytes INTEGER NOT NULL DEFAULT 0);
INSERT INTO lanes_without_reservation SELECT lane, next_sequence, segments, messages, payload_bytes FROM lanes;
DROP TABLE lanes;
ALTER TABLE lanes_without_reservation RENAME TO lanes;
)sql"
    // Suspects: records that are set aside. And a log of what limits have cost.
    R"sql(
CREATE TABLE given_up(id INTEGER PRIMARY KEY AUTOINCREMENT, destination INTEGER NOT NULL, lane INTEGER NOT NULL,
  first_sequence INTEGER NOT NULL, last_sequence INTEGER NOT NULL, messages INTEGER NOT NULL, outcome INTEGER NOT NULL,
  reason TEXT NOT NULL, from_at INTEGER NOT NULL, until_at INTEGER NOT NULL);
CREATE TABLE suspects(id INTEGER PRIMARY KEY, destination INTEGER NOT NULL, lane INTEGER NOT NULL,
  sequence INTEGER NOT NULL, record INTEGER NOT NULL, total_records INTEGER NOT NULL, stream INTEGER NOT NULL,
  received_hour INTEGER NOT NULL, set_aside_at INTEGER NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL,
  provider_request_id TEXT NOT NULL, http_status INTEGER NOT NULL, refusals INTEGER NOT NULL,
  first_refused_at INTEGER NOT NULL, last_refused_at INTEGER NOT NULL, batch_key TEXT NOT NULL,
  retrying INTEGER NOT NULL, batch BLOB NOT NULL, message BLOB NOT NULL,
  UNIQUE(destination, lane, sequence, record));
)sql"
    // What is needed to decode a message whatever becomes of the configuration; and for which destinations a message is
    // in quarantine.
    R"sql(
CREATE TABLE stream_definitions(id INTEGER PRIMARY KEY, stream INTEGER NOT NULL, contract TEXT NOT NULL,
  topics BLOB NOT NULL, retained_is_state INTEGER NOT NULL, current INTEGER NOT NULL,
  from_urgent INTEGER NOT NULL, from_normal INTEGER NOT NULL, from_bulk INTEGER NOT NULL,
  through_urgent INTEGER NOT NULL, through_normal INTEGER NOT NULL, through_bulk INTEGER NOT NULL);
CREATE TABLE quarantined_for(lane INTEGER NOT NULL, sequence INTEGER NOT NULL, destination INTEGER NOT NULL,
  reason TEXT NOT NULL, retrying INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(lane, sequence, destination)) WITHOUT ROWID;
INSERT OR IGNORE INTO quarantined_for(lane, sequence, destination, reason)
  SELECT q.lane, q.sequence, s.destination, q.reason FROM quarantine AS q JOIN subscriptions AS s
  ON s.stream = q.stream AND s.lane = q.lane AND q.sequence >= s.from_sequence
  AND (s.through_sequence IS NULL OR q.sequence <= s.through_sequence);
)sql",
    // 2.1: what a cloud contract made of a batch.
    R"sql(
ALTER TABLE batches ADD COLUMN layout BLOB NOT NULL DEFAULT x'';
ALTER TABLE replay_batches ADD COLUMN layout BLOB NOT NULL DEFAULT x'';
)sql",
    // 2.2: which records were delivered, as a hash of their ids in two halves: SQLite's sums do not wrap around.
    R"sql(
ALTER TABLE ledger ADD COLUMN hashed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ledger ADD COLUMN id_hash_high INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ledger ADD COLUMN id_hash_low INTEGER NOT NULL DEFAULT 0;
)sql",
    // 2.3: sums of measurements of what was delivered, exact: a whole number and a part of one.
    R"sql(
CREATE TABLE delivered_sums(destination INTEGER NOT NULL, hour INTEGER NOT NULL, stream INTEGER NOT NULL,
  name TEXT NOT NULL, records INTEGER NOT NULL, whole INTEGER NOT NULL, trillionths INTEGER NOT NULL,
  PRIMARY KEY(destination, hour, stream, name)) WITHOUT ROWID;
)sql"};

constexpr std::size_t kQueueIdDigits = 8;

Status Create(Database& db) {
  // Only possible while the file is empty.
  return db.Execute("PRAGMA application_id = " + std::to_string(kApplicationId));
}

Status WriteIdentity(Database& db) {
  RETURN_IF_ERROR(db.Execute("INSERT OR IGNORE INTO meta(key, value) VALUES ('queue_id', '" + NewQueueId() +
                             "'), ('clean', '1'), ('forgotten', '')"));
  return WriteFormat(db);
}

// Within a transaction.
Status MigrateFrom(Database& db, std::int64_t version) {
  if (version == 0) {
    RETURN_IF_ERROR(Create(db));
  }
  for (auto next = static_cast<std::size_t>(version); next < kMigrations.size(); ++next) {
    if (Status migrated = db.Execute(kMigrations.at(next)); !migrated) {
      return Error(migrated.error()).With("migration " + std::to_string(next + 1));
    }
  }
  RETURN_IF_ERROR(WriteIdentity(db));
  return db.Execute("PRAGMA user_version = " + std::to_string(kMigrations.size()));
}

// All of it or nothing: after an error the connection is as before, so that it can be tried again.
Status Migrate(Database& db, std::int64_t version) {
  Result<Transaction> transaction = Transaction::Begin(db, Transaction::Kind::kWrite);
  RETURN_IF_ERROR(transaction);
  RETURN_IF_ERROR(MigrateFrom(db, version));
  return transaction->Commit();
}

}  // namespace

Status WriteFormat(Database& db) {
  return db.Execute("INSERT OR REPLACE INTO meta(key, value) VALUES ('format', '" + std::to_string(kFormatMajor) + "." +
                    std::to_string(kFormatMinor) + "')");
}

std::string NewQueueId() { return RandomBase32(kQueueIdDigits); }

Status TuneWriter(Database& db) {
  const Result<std::int64_t> page_bytes = db.QueryInt("PRAGMA page_size");
  RETURN_IF_ERROR(page_bytes);
  // Deleted pages need no overwriting: payloads are not secrets, and it wears flash.
  return db.Execute(
      "PRAGMA synchronous = FULL; PRAGMA secure_delete = OFF; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -2000;"
      "PRAGMA journal_size_limit = 8388608; PRAGMA foreign_keys = OFF;"
      "PRAGMA wal_autocheckpoint = " +
      std::to_string(static_cast<std::int64_t>(kLogBytes) / std::max<std::int64_t>(*page_bytes, 1)));
}

Status CheckFormat(Database& db) {
  const Result<std::int64_t> application = db.QueryInt("PRAGMA application_id");
  RETURN_IF_ERROR(application);
  if (*application != kApplicationId) {
    return Error{ErrorCode::kUnsupported, "this file is a database, but not a Packhorse queue"};
  }
  Result<Statement> format = db.Prepare("SELECT value FROM meta WHERE key = 'format'");
  RETURN_IF_ERROR(format);
  const Result<bool> row = format->Step();
  RETURN_IF_ERROR(row);
  const std::string text = *row ? format->Text(0) : "";
  if (std::atoi(text.c_str()) > kFormatMajor) {
    return Error{ErrorCode::kUnsupported, "the queue has format " + text + ", this release knows formats up to " +
                                              std::to_string(kFormatMajor) +
                                              ".x: install the release that wrote it, or move the file away"};
  }
  return {};
}

Status CheckCurrent(Database& db) {
  RETURN_IF_ERROR(CheckFormat(db));
  const Result<std::int64_t> version = db.QueryInt("PRAGMA user_version");
  RETURN_IF_ERROR(version);
  if (*version < static_cast<std::int64_t>(kMigrations.size())) {
    return Error{ErrorCode::kUnsupported,
                 "an older release wrote the queue: packhorsed brings it up to date when it starts"};
  }
  return {};
}

Status PrepareSchema(Database& db) {
  const Result<std::int64_t> version = db.QueryInt("PRAGMA user_version");
  RETURN_IF_ERROR(version);
  const Result<std::int64_t> tables = db.QueryInt("SELECT count(*) FROM sqlite_schema");
  RETURN_IF_ERROR(tables);
  if (*version == 0 && *tables == 0) {
    // Before the first table, or it has no effect; auto_vacuum lets trimmed segments give their pages back.
    if (Status laid_out =
            db.Execute("PRAGMA page_size = " + std::to_string(kPageBytes) + "; PRAGMA auto_vacuum = INCREMENTAL");
        !laid_out) {
      return laid_out;
    }
  } else if (Status known = CheckFormat(db); !known) {
    return known;
  }
  RETURN_IF_ERROR(db.Execute("PRAGMA journal_mode = WAL"));
  if (*version >= static_cast<std::int64_t>(kMigrations.size())) {
    return {};
  }
  return Migrate(db, *version);
}

}  // namespace packhorse::queue
