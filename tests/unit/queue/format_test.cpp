// Formats of the database: from 1.0 to ours, the next minor of our major, the next major.

#include <gmock/gmock.h>

#include <string_view>
#include <tuple>

#include "queue/segment/message_codec.h"
#include "queue/sqlite/database.h"
#include "queue/tables/all_tables.h"
#include "queue/tables/rows.h"
#include "queue/tables/schema.h"
#include "queue_fixture.h"

namespace packhorse::queue {
namespace {

using testing::HasSubstr;

// What the first release made, as it made it. Never changes.
constexpr const char* kFormat10 = R"sql(
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
INSERT INTO meta VALUES ('queue_id', 'oldqueue'), ('clean', '1'), ('format', '1.0');
)sql";

class FormatTest : public QueueTest {
 protected:
  FormatTest() { queue_.reset(); }

  Database Db(const std::string& name = "queue.db") {
    Result<Database> db = Database::Open(dir_ / name, Database::Mode::kReadWriteCreate);
    EXPECT_TRUE(db) << db.error().message;
    return *std::move(db);
  }

  static void Execute(Database& db, const std::string& sql) {
    Status done = db.Execute(sql);
    ASSERT_TRUE(done) << sql.substr(0, 80) << ": " << done.error().message;
  }

  static std::string Text(Database& db, const std::string& sql) {
    Result<Statement> rows = db.Prepare(sql);
    EXPECT_TRUE(rows) << rows.error().message;
    std::string text;
    EXPECT_TRUE(rows->ForEach([&] { text += rows->Text(0) + "\n"; }));
    return text;
  }

  // Everything of the schema that may differ; the names of the keys in meta belong to it.
  static std::string Schema(Database& db) {
    return Text(db,
                "SELECT type || ' ' || name || ' ' || tbl_name || ' ' || coalesce(sql, '') FROM sqlite_schema"
                " ORDER BY type, name") +
           Text(db, "SELECT key FROM meta ORDER BY key") + Text(db, "SELECT value FROM meta WHERE key = 'format'") +
           Text(db, "PRAGMA user_version") + Text(db, "PRAGMA application_id") + Text(db, "PRAGMA auto_vacuum") +
           Text(db, "PRAGMA journal_mode");
  }

  // A queue of format 1.0 that ended in order. Of five messages one is delivered, one dead, one in a batch, two wait.
  void MakeFormat10() {
    test::Run({"rm", "-f", dir_ / "queue.db", dir_ / "queue.db-wal", dir_ / "queue.db-shm"});
    Database db = Db();
    Execute(db, "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL");
    Execute(db, "PRAGMA application_id = " + std::to_string(kApplicationId));
    Execute(db, kFormat10);
    Execute(db,
            "PRAGMA user_version = 1;"
            "INSERT INTO streams VALUES (1, 'telemetry'), (2, 'alarms'); INSERT INTO destinations VALUES (1, 'cloud');"
            "INSERT INTO subscriptions VALUES (1, 1, 1, 1, NULL), (1, 2, 0, 1, NULL);"
            "INSERT INTO pending VALUES (1, 1, 0, 1, NULL), (2, 1, 1, 4, NULL);"
            "UPDATE lanes SET reserved_through = 4096, next_sequence = 6 WHERE lane = 1");
    SegmentEncoder segment(1);
    for (Sequence sequence = 1; sequence <= 5; ++sequence) {
      segment.Add(sequence, OldMessage(sequence));
    }
    Insert(db, "INSERT INTO segments VALUES (?, 5, 5, ?, ?)", SegmentKey(Lane::kNormal, 1), segment.payload_bytes(),
           Statement::AsBlob(segment.Finish()));
    const std::vector<Member> members = {Member{3, 1, 0, 1, 1, Hour()}};
    Insert(db,
           "INSERT INTO batches VALUES (1, 1, 1, 3, 0, 'old-key', 'old-trace', 'packhorse-ingest@1.0', '/v1/telemetry',"
           " 'application/json', '', 4, 1, ?, 0, ?, ?, ?)",
           Statement::AsBlob(EncodeMembers(members)), Micros(clock_.Wall()), Micros(clock_.Wall()),
           Statement::AsBlob("body"));
    Insert(db, "INSERT INTO dead VALUES (1, 1, 1, 2, 0, 1, 1, ?, 'rejected', 'no', 'req-1', 422, 'key-0', 0, ?)",
           Micros(clock_.Wall()), Statement::AsBlob(EncodeMessage(2, OldMessage(2))));
    for (const auto& [outcome, reason, messages, hour] :
         std::vector<std::tuple<int, const char*, int, int>>{{kLedgerReceived, "", 5, Hour()},
                                                             {kLedgerPending, "n", 3, 0},
                                                             {LedgerCode(Outcome::kDelivered), "", 1, Hour()},
                                                             {LedgerCode(Outcome::kRejected), "rejected", 1, Hour()}}) {
      Insert(db, "INSERT INTO ledger VALUES (?, 1, 1, ?, ?, ?, 0)", hour, outcome, std::string_view(reason), messages);
    }
  }

  template <typename... Args>
  static void Insert(Database& db, const char* sql, const Args&... args) {
    Result<Statement> statement = db.Prepare(sql);
    ASSERT_TRUE(statement) << statement.error().message;
    Status done = statement->Bind(args...).Run();
    ASSERT_TRUE(done) << done.error().message;
  }

  std::int32_t Hour() const { return HourOf(clock_.Wall()); }

  RawMessage OldMessage(Sequence sequence) const {
    RawMessage message;
    message.stream = 1;
    message.topic = "site/a/dev/17/telemetry";
    message.payload = "old-" + std::to_string(sequence);
    message.received_at = clock_.Wall();
    return message;
  }

  // A message goes all the way, and everything is as it should be after a restart.
  void ExpectWorks() {
    const std::uint64_t delivered = Row().delivered;
    Append("new");
    Append("alarm", "alarms");
    for (std::size_t left = 10; left > 0 && queue_->Waiting("cloud", Lane::kNormal).messages > 0; --left) {
      ASSERT_TRUE(Settle(Delivered(PrepareNext(10))));
    }
    EXPECT_GT(Row().delivered, delivered);
    ExpectVerified();
    Reopen();
    EXPECT_EQ(queue_->start().how, StartReport::How::kClean);
    EXPECT_TRUE(queue_->start().ledger_contradictions.empty());
    EXPECT_EQ(queue_->Waiting("cloud", Lane::kUrgent).messages, 1U);
    ExpectVerified();
  }
};

INSTANTIATE_TEST_SUITE_P(Modes, FormatTest, ::testing::Values(Mode::kWindow, Mode::kStrict), NameOf);

TEST_P(FormatTest, AMigratedDatabaseHasTheSchemaOfAFreshOne) {
  std::string expected;
  {
    Database fresh = Db();
    expected = Schema(fresh);
  }
  ASSERT_THAT(expected, HasSubstr("waiting"));
  MakeFormat10();
  Reopen();
  queue_.reset();
  Database migrated = Db();
  EXPECT_EQ(Schema(migrated), expected);
}

TEST_P(FormatTest, OnlyTablesThatAreNewerMayBeMissingInADatabaseOfFormat10) {
  MakeFormat10();
  Database db = Db();
  for (const QueueTable& table : AllTables()) {
    EXPECT_EQ(Text(db, std::string("SELECT count(*) FROM sqlite_schema WHERE name = '") + table.name + "'"),
              table.newer ? "0\n" : "1\n")
        << table.name;
  }
}

TEST_P(FormatTest, AMigratedQueueKeepsEverythingAndGoesOn) {
  MakeFormat10();
  Reopen();
  EXPECT_NE(queue_->id(), "oldqueue");
  EXPECT_EQ(queue_->ids().Of(Lane::kNormal, 5), "oldqueue");
  EXPECT_TRUE(queue_->start().ledger_contradictions.empty());
  const LedgerRow row = Row();
  EXPECT_EQ(row.received, 5U);
  EXPECT_EQ(row.delivered, 1U);
  EXPECT_EQ(row.rejected, 1U);
  EXPECT_EQ(row.pending, 3U);
  EXPECT_EQ(queue_->Waiting("cloud", Lane::kNormal).messages, 2U);
  const Result<Pending> pending = queue_->Peek("cloud", Lane::kNormal, 10, 1'000);
  ASSERT_EQ(pending->messages.size(), 2U);
  EXPECT_EQ(pending->messages[0].message.payload, "old-4");
  EXPECT_EQ(pending->messages[1].sequence, 5U);
  const Result<std::vector<PreparedBatch>> batches = queue_->PreparedBatches("cloud");
  ASSERT_EQ(batches->size(), 1U);
  EXPECT_EQ(batches->front().idempotency_key, "old-key");
  EXPECT_EQ(batches->front().body, "body");
  EXPECT_EQ(queue_->DeadLetters(10, 0)->front().message.payload, "old-2");
  EXPECT_EQ(queue_->Snapshot().segments, 1U);
  ExpectVerified();
  ASSERT_TRUE(Settle(Delivered(1)));
  EXPECT_EQ(Append("sixth"), 6U) << "numbers go on";
  ExpectWorks();
}

TEST_P(FormatTest, AQueueOfFormat20OpensAndItsBatchesHaveNoLayout) {
  Reopen();
  Append("p");
  Append("q");
  PrepareNext(1);
  queue_.reset();
  {
    Database db = Db();
    Execute(db,
            "ALTER TABLE batches DROP COLUMN layout; ALTER TABLE replay_batches DROP COLUMN layout;"
            "ALTER TABLE ledger DROP COLUMN hashed; ALTER TABLE ledger DROP COLUMN id_hash_high;"
            "ALTER TABLE ledger DROP COLUMN id_hash_low; DROP TABLE delivered_sums;"
            "UPDATE meta SET value = '2.0' WHERE key = 'format'; PRAGMA user_version = 6");
  }
  Reopen();
  const auto batches = queue_->PreparedBatches("cloud");
  ASSERT_EQ(batches->size(), 1U);
  EXPECT_EQ(batches->front().items_end, 0U);
  EXPECT_EQ(batches->front().part, "");
  ASSERT_TRUE(Settle(Delivered(batches->front().id)));
  shape_ = [](PreparedBatch& batch) {
    batch.part = "x";
    batch.items = {3};
    batch.items_begin = 1;
    batch.items_end = 2;
  };
  const BatchId next = PrepareNext(1);
  ExpectVerified();
  Reopen();
  EXPECT_EQ(queue_->PreparedBatches("cloud")->front().part, "x");
  EXPECT_EQ(queue_->PreparedBatches("cloud")->front().items, std::vector<std::uint32_t>{3});
  EXPECT_EQ(queue_->PreparedBatches("cloud")->front().items_end, 2U);
  ASSERT_TRUE(Settle(Delivered(next)));
  queue_.reset();
  Database db = Db();
  EXPECT_EQ(Text(db, "SELECT value FROM meta WHERE key = 'format'"), "2.3\n");
}

TEST_P(FormatTest, AQueueOfFormat22OpensAndItsHoursHaveNoSums) {
  Reopen();
  Append("p");
  Settlement settlement = Delivered(PrepareNext(1));
  settlement.id_hashes.push_back({*queue_->Stream("telemetry"), Hour(), 1, 5});
  ASSERT_TRUE(Settle(std::move(settlement)));
  queue_.reset();
  {
    Database db = Db();
    Execute(db,
            "DROP TABLE delivered_sums; UPDATE meta SET value = '2.2' WHERE key = 'format'; PRAGMA user_version = 8");
  }
  Reopen();
  const Result<DeliveredHours> hours = queue_->DeliveredByHour("cloud", 0, INT32_MAX, 10);
  ASSERT_TRUE(hours) << hours.error().message;
  ASSERT_EQ(hours->hours.size(), 1U);
  EXPECT_EQ(hours->hours[0].id_hash, 5U);
  EXPECT_TRUE(hours->hours[0].sums.empty());
  ExpectWorks();
  queue_.reset();
  Database db = Db();
  EXPECT_EQ(Text(db, "SELECT value FROM meta WHERE key = 'format'"), "2.3\n");
  EXPECT_EQ(Text(db, "SELECT count(*) FROM delivered_sums"), "0\n");
}

TEST_P(FormatTest, AQueueOfALaterMinorOpensAndWorksAndStaysWhatItIs) {
  Reopen();
  Append("before");
  queue_.reset();
  {
    Database db = Db();
    Execute(db, "UPDATE meta SET value = '2.9' WHERE key = 'format'");
    const std::string version = Text(db, "PRAGMA user_version");
    Execute(db, "PRAGMA user_version = " + std::to_string(std::stoi(version) + 1));
    for (const QueueTable& table : AllTables()) {
      Execute(db, std::string("ALTER TABLE ") + table.name + " ADD COLUMN later INTEGER NOT NULL DEFAULT 7");
    }
    Execute(db,
            "CREATE TABLE observations(id INTEGER PRIMARY KEY, what TEXT); INSERT INTO observations VALUES (1, 'x')");
  }
  Reopen();
  EXPECT_EQ(queue_->Waiting("cloud", Lane::kNormal).messages, 1U);
  Append("refused");
  Append("undecodable");
  const Result<Pending> pending = queue_->Peek("cloud", Lane::kNormal, 10, 1'000);
  PrepareRequest request{"cloud", Lane::kNormal, pending->from, pending->through, {}, {}};
  request.batches.push_back(MakeBatch({pending->messages[0], pending->messages[1]}));
  request.resolutions.push_back(Resolution{pending->messages[2].sequence, Outcome::kQuarantined, "invalid_json", "",
                                           pending->messages[2].message});
  std::optional<Result<std::vector<BatchId>>> prepared;
  queue_->Prepare(std::move(request), [&](Result<std::vector<BatchId>> ids) { prepared = std::move(ids); });
  const Result<std::vector<BatchId>> ids = Await(prepared);
  ASSERT_TRUE(ids) << ids.error().message;
  ExpectVerified();  // the batch is in the database, too
  Settlement settlement = Delivered(ids->front());
  settlement.dead.push_back(DeadRecord{pending->messages[1].sequence, 0, "rejected", "no", "", 422});
  ASSERT_TRUE(Settle(std::move(settlement)));
  EXPECT_EQ(queue_->DeadLetters(10, 0)->size(), 1U);
  EXPECT_EQ(queue_->Quarantined(10, 0)->size(), 1U);
  ExpectWorks();
  ASSERT_TRUE(queue_->Reconfigure({{"telemetry", Lane::kBulk, {"cloud", "archive"}}}, {"cloud", "archive"}));
  queue_.reset();
  Database db = Db();
  EXPECT_EQ(Text(db, "SELECT value FROM meta WHERE key = 'format'"), "2.9\n");
  EXPECT_EQ(Text(db, "SELECT what FROM observations"), "x\n");
  EXPECT_EQ(Text(db, "SELECT DISTINCT later FROM ledger"), "7\n");
}

TEST_P(FormatTest, AQueueOfALaterMajorIsRefusedAndNothingOfItChanges) {
  {
    Database db = Db();
    Execute(db,
            "UPDATE meta SET value = '3.0' WHERE key = 'format'; PRAGMA user_version = 12; PRAGMA "
            "wal_checkpoint(TRUNCATE)");
  }
  const std::string before = test::ReadAll(dir_ / "queue.db");
  const Result<std::unique_ptr<Queue>> opened = Open(MakeOptions(), clock_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(opened.error().message, HasSubstr("the queue has format 3.0, this release knows formats up to 2.x"));
  EXPECT_THAT(opened.error().message, HasSubstr("install the release that wrote it"));
  EXPECT_EQ(test::ReadAll(dir_ / "queue.db"), before);
  EXPECT_EQ(test::ReadAll(dir_ / "queue.db-wal"), "");
}

TEST_P(FormatTest, AHalfDoneMigrationLeavesTheOldFormatToTheNextStart) {
  MakeFormat10();
  {
    // The third migration fails, the second was fine.
    Database db = Db();
    Execute(db, "CREATE TABLE earlier_ids(in_the_way)");
  }
  EXPECT_FALSE(Open(MakeOptions(), clock_));
  {
    Database db = Db();
    EXPECT_EQ(Text(db, "PRAGMA user_version"), "1\n");
    EXPECT_EQ(Text(db, "SELECT value FROM meta WHERE key = 'format'"), "1.0\n");
    Execute(db, "DROP TABLE earlier_ids");
  }
  Reopen();
  EXPECT_EQ(Row().pending, 3U);
  ExpectVerified();
}

TEST_P(FormatTest, AMigrationThatFailsLeavesNoTransactionOpen) {
  std::remove((dir_ / "old.db").c_str());
  Result<Database> db = Database::Open(dir_ / "old.db", Database::Mode::kReadWriteCreate);
  ASSERT_TRUE(db);
  ASSERT_TRUE(db->Execute(kFormat10));
  ASSERT_TRUE(
      db->Execute("PRAGMA application_id = 1346456392; PRAGMA user_version = 1;"
                  "CREATE TABLE replays(id INTEGER PRIMARY KEY)"));  // in the way of one of the next
  EXPECT_FALSE(PrepareSchema(*db));
  EXPECT_FALSE(db->in_transaction());
  ASSERT_TRUE(db->Execute("DROP TABLE replays"));
  EXPECT_TRUE(PrepareSchema(*db));
}

}  // namespace
}  // namespace packhorse::queue
