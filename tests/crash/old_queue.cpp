#include "old_queue.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include <stdexcept>

#include "queue/segment/message_codec.h"
#include "queue/tables/rows.h"

namespace packhorse::test {
namespace {

constexpr const char* kFormat10 = R"sql(
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
PRAGMA application_id = 1346456392;
PRAGMA user_version = 1;
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE lanes(lane INTEGER PRIMARY KEY, reserved_through INTEGER NOT NULL, next_sequence INTEGER NOT NULL);
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
INSERT INTO meta VALUES ('queue_id', 'oldqueue'), ('clean', '0'), ('format', '1.0');
INSERT INTO streams VALUES (1, 'telemetry');
INSERT INTO destinations VALUES (1, 'cloud');
INSERT INTO subscriptions VALUES (1, 1, 1, 1, NULL);
INSERT INTO pending VALUES (1, 1, 0, 1, NULL), (2, 1, 1, 1, NULL), (3, 1, 2, 1, NULL);
INSERT INTO lanes VALUES (0, 0, 1), (2, 0, 1);
)sql";

void Execute(sqlite3* db, const std::string& sql) {
  if (sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    throw std::runtime_error(sqlite3_errmsg(db));
  }
}

}  // namespace

void MakeQueueOfFormat10(const std::string& path, int messages) {
  mkdir(path.substr(0, path.rfind('/')).c_str(), 0750);
  sqlite3* db = nullptr;
  if (sqlite3_open(path.c_str(), &db) != SQLITE_OK) {
    throw std::runtime_error("cannot make " + path);
  }
  Execute(db, kFormat10);
  const std::string count = std::to_string(messages);
  Execute(db, "INSERT INTO lanes VALUES (1, 65536, " + std::to_string(messages + 1) + ")");
  Execute(db, "INSERT INTO ledger VALUES (498656, 1, 1, 0, '', " + count + ", 0), (498656, 1, 1, 1, 'n', " + count +
                  ", 0)");
  sqlite3_stmt* insert = nullptr;
  sqlite3_prepare_v2(db, "INSERT INTO segments VALUES (?, ?, 1, ?, ?)", -1, &insert, nullptr);
  for (int i = 1; i <= messages; ++i) {
    RawMessage message;
    message.stream = 1;
    message.topic = "a/b";
    message.payload = "old " + std::to_string(i);
    const std::string blob = queue::EncodeMessage(static_cast<Sequence>(i), message);
    sqlite3_bind_int64(insert, 1, queue::SegmentKey(Lane::kNormal, static_cast<Sequence>(i)));
    sqlite3_bind_int64(insert, 2, i);
    sqlite3_bind_int64(insert, 3, static_cast<sqlite3_int64>(message.payload.size()));
    sqlite3_bind_blob(insert, 4, blob.data(), static_cast<int>(blob.size()), SQLITE_STATIC);
    sqlite3_step(insert);
    sqlite3_reset(insert);
  }
  sqlite3_finalize(insert);
  sqlite3_close(db);
}

}  // namespace packhorse::test
