#include "store.h"

#include <sqlite3.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "digest.h"
#include "sqlite_statement.h"

namespace packhorse::cloud {
namespace {

// record_id is the identity; copies counts how often it arrived. The hours table is kept up to date with every batch,
// so that reconciliation never has to read the records.
constexpr const char* kSchema = R"(
CREATE TABLE IF NOT EXISTS batches(
  batch INTEGER PRIMARY KEY, idempotency_key TEXT NOT NULL UNIQUE, body_sha256 TEXT NOT NULL, gateway TEXT NOT NULL,
  lane TEXT NOT NULL, records INTEGER NOT NULL, status INTEGER NOT NULL, reply TEXT NOT NULL,
  received_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS records(
  record_id TEXT NOT NULL PRIMARY KEY, gateway TEXT NOT NULL, queue_id TEXT NOT NULL, lane TEXT NOT NULL,
  sequence INTEGER NOT NULL, part INTEGER NOT NULL, stream TEXT NOT NULL, device_id TEXT NOT NULL,
  server_received_at TEXT NOT NULL, kind TEXT NOT NULL, flags TEXT NOT NULL, topic TEXT NOT NULL,
  measurements TEXT NOT NULL, first_batch INTEGER NOT NULL REFERENCES batches, copies INTEGER NOT NULL DEFAULT 1,
  restamped INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS hours(
  gateway TEXT NOT NULL, hour TEXT NOT NULL, stream TEXT NOT NULL, count INTEGER NOT NULL, hash INTEGER NOT NULL,
  PRIMARY KEY(gateway, hour, stream)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS hour_sums(
  gateway TEXT NOT NULL, hour TEXT NOT NULL, stream TEXT NOT NULL, field TEXT NOT NULL, sum REAL NOT NULL,
  PRIMARY KEY(gateway, hour, stream, field)) WITHOUT ROWID;
)";

constexpr const char* kInsertRecord =
    "INSERT OR IGNORE INTO records(record_id,gateway,queue_id,lane,sequence,part,stream,device_id,server_received_at,"
    "kind,flags,topic,measurements,first_batch) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
constexpr const char* kCountCopy =
    "UPDATE records SET copies=copies+1,restamped=restamped+(server_received_at<>?2) WHERE record_id=?1 "
    "RETURNING server_received_at<>?2";
constexpr const char* kInsertBatch =
    "INSERT INTO batches(idempotency_key,body_sha256,gateway,lane,records,status,reply,received_at) "
    "VALUES(?,?,?,?,?,?,?,?)";
constexpr const char* kFindBatch = "SELECT body_sha256,status,reply FROM batches WHERE idempotency_key=?";
constexpr const char* kReadHour = "SELECT hash FROM hours WHERE gateway=? AND hour=? AND stream=?";
constexpr const char* kAddHour =
    "INSERT INTO hours VALUES(?1,?2,?3,?4,?5) "
    "ON CONFLICT DO UPDATE SET count=count+?4,hash=?5";
constexpr const char* kAddSum = "INSERT INTO hour_sums VALUES(?1,?2,?3,?4,?5) ON CONFLICT DO UPDATE SET sum=sum+?5";
constexpr const char* kWindows =
    "SELECT hour,stream,count,hash FROM hours WHERE gateway=?1 AND hour BETWEEN ?2 AND ?3 AND (hour,stream)>(?4,?5) "
    "ORDER BY hour,stream LIMIT ?6";
constexpr const char* kSums = "SELECT field,sum FROM hour_sums WHERE gateway=? AND hour=? AND stream=? ORDER BY field";
constexpr const char* kCounts = "SELECT COUNT(*),COALESCE(SUM(copies-1),0),COALESCE(SUM(restamped),0) FROM records";
constexpr const char* kBatchCount = "SELECT COUNT(*) FROM batches";

// "2026-11-20T09:12:01.123456Z" -> "2026-11-20T09:00:00Z".
std::string HourOf(std::string_view time) { return std::string(time.substr(0, 13)) + ":00:00Z"; }

Status Execute(sqlite3* database, const char* sql) {
  if (sqlite3_exec(database, sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
    return DatabaseError(database, "database");
  }
  return {};
}

// 0: there is no such measurement, or it is no number.
double NumberAt(const nlohmann::json& measurements, const std::string& name) {
  const auto found = measurements.find(name);
  const nlohmann::json value =
      found != measurements.end() && found->is_object() ? found->value("value", nlohmann::json()) : nlohmann::json();
  return value.is_number() ? value.get<double>() : 0;
}

// New records of a batch by stream and hour; hardly ever more than one or two.
class WindowTotals {
 public:
  void Add(const ReceivedRecord& record, std::uint64_t hash) {
    ReconciliationWindow& window = Find(record);
    ++window.count;
    window.hash += hash;
    for (const auto& [field, value] : record.sums) {
      const auto found = std::find_if(window.sums.begin(), window.sums.end(),
                                      [name = field](const auto& sum) { return sum.first == name; });
      if (found == window.sums.end()) {
        window.sums.emplace_back(field, value);
      } else {
        found->second += value;
      }
    }
  }
  const std::vector<ReconciliationWindow>& windows() const { return windows_; }

 private:
  ReconciliationWindow& Find(const ReceivedRecord& record) {
    const std::string_view hour = record.server_received_at.substr(0, 13);
    for (ReconciliationWindow& window : windows_) {
      if (window.stream == record.stream && std::string_view(window.hour).substr(0, 13) == hour) {
        return window;
      }
    }
    windows_.push_back({std::string(record.stream), HourOf(record.server_received_at), 0, 0, {}});
    return windows_.back();
  }

  std::vector<ReconciliationWindow> windows_;
};

}  // namespace

struct Store::Impl {
  sqlite3* database = nullptr;
  StoreCounts counts;
  Statement insert_record, count_copy, insert_batch, find_batch, read_hour, add_hour, add_sum, windows, sums;

  Impl() = default;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    for (Statement* statement :
         {&insert_record, &count_copy, &insert_batch, &find_batch, &read_hour, &add_hour, &add_sum, &windows, &sums}) {
      const Statement ended(std::move(*statement));
    }
    sqlite3_close(database);
  }

  Status Open(const std::string& path, bool full_sync);
  Status LoadCounts();
  Result<std::optional<Accepted>> FindEarlier(const Acceptance& acceptance);
  Status Write(const Acceptance& acceptance, const std::vector<std::uint64_t>& hashes, WallTime now,
               StoreCounts& counts_after);
  Result<bool> InsertRecord(const ReceivedRecord& record, std::string_view gateway, std::int64_t batch,
                            StoreCounts& counts_after);
  Status AddWindow(std::string_view gateway, const ReconciliationWindow& window);
  // False: there is no such record.
  Result<bool> Remove(std::string_view record_id);
  Result<bool> Change(std::string_view record_id, const std::string& measurement, double value);
  // A stored record, by a statement that gives its gateway, stream, time and measurements; none: there is none.
  struct Stored {
    std::string gateway;
    ReconciliationWindow window;  // without totals
    nlohmann::json measurements;
  };
  Result<std::optional<Stored>> Find(const char* sql, std::string_view record_id);
  Status ReadSums(const std::string& gateway, ReconciliationWindow& window);
  Result<std::vector<ReconciliationWindow>> Windows(const ReconciliationQuery& query);
};

Status Store::Impl::Open(const std::string& path, bool full_sync) {
  if (sqlite3_open_v2(path.c_str(), &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                      nullptr) != SQLITE_OK) {
    return DatabaseError(database, "open " + path);
  }
  sqlite3_busy_timeout(database, 10'000);
  for (const char* sql :
       {"PRAGMA page_size=16384", "PRAGMA journal_mode=WAL",
        full_sync ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL", "PRAGMA cache_size=-32768", kSchema}) {
    if (Status done = Execute(database, sql); !done) {
      return done.error().With(path);
    }
  }
  const std::pair<Statement*, const char*> statements[] = {{&insert_record, kInsertRecord},
                                                           {&count_copy, kCountCopy},
                                                           {&insert_batch, kInsertBatch},
                                                           {&find_batch, kFindBatch},
                                                           {&read_hour, kReadHour},
                                                           {&add_hour, kAddHour},
                                                           {&add_sum, kAddSum},
                                                           {&windows, kWindows},
                                                           {&sums, kSums}};
  for (const auto& [statement, sql] : statements) {
    if (Status prepared = statement->Prepare(database, sql); !prepared) {
      return prepared.error().With(path);
    }
  }
  return LoadCounts();
}

Status Store::Impl::LoadCounts() {
  Statement records;
  Statement batches;
  for (const auto& [statement, sql] : {std::pair{&records, kCounts}, std::pair{&batches, kBatchCount}}) {
    if (Status prepared = statement->Prepare(database, sql); !prepared) {
      return prepared.error();
    }
    if (Result<bool> row = statement->Step(); !row) {
      return row.error();
    }
  }
  counts.records = static_cast<std::uint64_t>(records.Int(0));
  counts.duplicates = static_cast<std::uint64_t>(records.Int(1));
  counts.restamped = static_cast<std::uint64_t>(records.Int(2));
  counts.batches = static_cast<std::uint64_t>(batches.Int(0));
  return {};
}

Result<std::optional<Accepted>> Store::Impl::FindEarlier(const Acceptance& acceptance) {
  find_batch.BindText(1, acceptance.idempotency_key);
  const Result<bool> row = find_batch.Step();
  if (!row) {
    return row.error();
  }
  if (!*row) {
    return std::optional<Accepted>();
  }
  Accepted accepted;
  const bool same = find_batch.Text(0) == acceptance.body_sha256;
  accepted.how = same ? Accepted::How::kReplayed : Accepted::How::kKeyReused;
  accepted.status = static_cast<int>(find_batch.Int(1));
  accepted.reply = find_batch.Text(2);
  find_batch.Reset();
  ++(same ? counts.replayed : counts.keys_reused);
  return std::optional<Accepted>(std::move(accepted));
}

Result<bool> Store::Impl::InsertRecord(const ReceivedRecord& record, std::string_view gateway, std::int64_t batch,
                                       StoreCounts& counts_after) {
  Statement& s = insert_record;
  s.BindText(1, record.record_id);
  s.BindText(2, gateway);
  s.BindText(3, record.queue_id);
  s.BindText(4, record.lane);
  s.BindInt(5, static_cast<std::int64_t>(record.sequence));
  s.BindInt(6, static_cast<std::int64_t>(record.part));
  s.BindText(7, record.stream);
  s.BindText(8, record.device_id);
  s.BindText(9, record.server_received_at);
  s.BindText(10, record.kind);
  s.BindText(11, record.flags);
  s.BindText(12, record.topic);
  s.BindText(13, record.measurements);
  s.BindInt(14, batch);
  if (Result<bool> done = s.Step(); !done) {
    return done.error();
  }
  if (sqlite3_changes(database) == 1) {
    ++counts_after.records;
    return true;
  }
  count_copy.BindText(1, record.record_id);
  count_copy.BindText(2, record.server_received_at);
  Result<bool> row = count_copy.Step();
  if (!row) {
    return row.error();
  }
  counts_after.restamped += static_cast<std::uint64_t>(count_copy.Int(0));
  ++counts_after.duplicates;
  count_copy.Reset();
  return false;
}

Status Store::Impl::AddWindow(std::string_view gateway, const ReconciliationWindow& window) {
  read_hour.BindText(1, gateway);
  read_hour.BindText(2, window.hour);
  read_hour.BindText(3, window.stream);
  const Result<bool> row = read_hour.Step();
  if (!row) {
    return row.error();
  }
  // Added here and not in SQL, where a sum beyond 63 bits becomes a floating point number.
  const std::uint64_t before = *row ? static_cast<std::uint64_t>(read_hour.Int(0)) : 0;
  read_hour.Reset();
  add_hour.BindText(1, gateway);
  add_hour.BindText(2, window.hour);
  add_hour.BindText(3, window.stream);
  add_hour.BindInt(4, window.count);
  add_hour.BindInt(5, static_cast<std::int64_t>(before + window.hash));
  if (Result<bool> done = add_hour.Step(); !done) {
    return done.error();
  }
  for (const auto& [field, sum] : window.sums) {
    add_sum.BindText(1, gateway);
    add_sum.BindText(2, window.hour);
    add_sum.BindText(3, window.stream);
    add_sum.BindText(4, field);
    add_sum.BindDouble(5, sum);
    if (Result<bool> done = add_sum.Step(); !done) {
      return done.error();
    }
  }
  return {};
}

Result<std::optional<Store::Impl::Stored>> Store::Impl::Find(const char* sql, std::string_view record_id) {
  Statement statement;
  RETURN_IF_ERROR(statement.Prepare(database, sql));
  statement.BindText(1, record_id);
  const Result<bool> row = statement.Step();
  RETURN_IF_ERROR(row);
  if (!*row) {
    return std::optional<Stored>();
  }
  Stored stored;
  stored.gateway = statement.Text(0);
  stored.window.stream = statement.Text(1);
  stored.window.hour = HourOf(statement.Text(2));
  stored.measurements = nlohmann::json::parse(statement.Text(3), nullptr, false);
  return std::optional(std::move(stored));
}

Result<bool> Store::Impl::Remove(std::string_view record_id) {
  Result<std::optional<Stored>> found =
      Find("DELETE FROM records WHERE record_id=? RETURNING gateway,stream,server_received_at,measurements", record_id);
  RETURN_IF_ERROR(found);
  if (!*found) {
    return false;
  }
  auto& [gateway, window, measurements] = **found;
  RETURN_IF_ERROR(ReadSums(gateway, window));
  for (auto& [field, sum] : window.sums) {
    sum = -NumberAt(measurements, field);
  }
  window.count = -1;
  window.hash = 0 - RecordIdHash(record_id);
  RETURN_IF_ERROR(AddWindow(gateway, window));
  return true;
}

Result<bool> Store::Impl::Change(std::string_view record_id, const std::string& measurement, double value) {
  Result<std::optional<Stored>> found =
      Find("SELECT gateway,stream,server_received_at,measurements FROM records WHERE record_id=?", record_id);
  RETURN_IF_ERROR(found);
  if (!*found || !(*found)->measurements.is_object()) {
    return false;
  }
  auto& [gateway, window, measurements] = **found;
  window.sums = {{measurement, value - NumberAt(measurements, measurement)}};
  RETURN_IF_ERROR(AddWindow(gateway, window));
  measurements[measurement] = {{"value", value}};
  Statement update;
  RETURN_IF_ERROR(update.Prepare(database, "UPDATE records SET measurements=?2 WHERE record_id=?1"));
  const std::string text = measurements.dump();
  update.BindText(1, record_id);
  update.BindText(2, text);
  RETURN_IF_ERROR(update.Step());
  return true;
}

Status Store::Impl::Write(const Acceptance& acceptance, const std::vector<std::uint64_t>& hashes, WallTime now,
                          StoreCounts& counts_after) {
  const ReceivedBatch& batch = *acceptance.batch;
  const std::string received_at = FormatUtc(now);
  insert_batch.BindText(1, acceptance.idempotency_key);
  insert_batch.BindText(2, acceptance.body_sha256);
  insert_batch.BindText(3, batch.gateway_id);
  insert_batch.BindText(4, batch.lane);
  insert_batch.BindInt(5, static_cast<std::int64_t>(batch.records.size()));
  insert_batch.BindInt(6, acceptance.status);
  insert_batch.BindText(7, acceptance.reply);
  insert_batch.BindText(8, received_at);
  if (Result<bool> done = insert_batch.Step(); !done) {
    return done.error();
  }
  const std::int64_t number = sqlite3_last_insert_rowid(database);
  WindowTotals totals;
  for (std::size_t i = 0; i < batch.records.size(); ++i) {
    if (!acceptance.left_out.empty() && acceptance.left_out[i]) {
      continue;
    }
    const Result<bool> fresh = InsertRecord(batch.records[i], batch.gateway_id, number, counts_after);
    if (!fresh) {
      return fresh.error();
    }
    if (*fresh) {
      totals.Add(batch.records[i], hashes[i]);
    }
  }
  ++counts_after.batches;
  for (const ReconciliationWindow& window : totals.windows()) {
    if (Status added = AddWindow(batch.gateway_id, window); !added) {
      return added;
    }
  }
  return {};
}

Result<std::vector<ReconciliationWindow>> Store::Impl::Windows(const ReconciliationQuery& query) {
  std::vector<ReconciliationWindow> found;
  windows.BindText(1, query.gateway);
  windows.BindText(2, query.first_hour);
  windows.BindText(3, query.last_hour);
  windows.BindText(4, query.after_hour);
  windows.BindText(5, query.after_stream);
  windows.BindInt(6, static_cast<std::int64_t>(query.limit));
  for (;;) {
    const Result<bool> row = windows.Step();
    if (!row) {
      return row.error();
    }
    if (!*row) {
      break;
    }
    found.push_back({windows.Text(1), windows.Text(0), windows.Int(2), static_cast<std::uint64_t>(windows.Int(3)), {}});
  }
  for (ReconciliationWindow& window : found) {
    RETURN_IF_ERROR(ReadSums(query.gateway, window));
  }
  return found;
}

Status Store::Impl::ReadSums(const std::string& gateway, ReconciliationWindow& window) {
  sums.BindText(1, gateway);
  sums.BindText(2, window.hour);
  sums.BindText(3, window.stream);
  for (;;) {
    const Result<bool> row = sums.Step();
    RETURN_IF_ERROR(row);
    if (!*row) {
      return {};
    }
    window.sums.emplace_back(sums.Text(0), sums.Double(1));
  }
}

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Store::~Store() = default;

Result<std::unique_ptr<Store>> Store::Open(const std::string& path, bool full_sync) {
  auto impl = std::make_unique<Impl>();
  if (Status opened = impl->Open(path, full_sync); !opened) {
    return opened.error();
  }
  return std::unique_ptr<Store>(new Store(std::move(impl)));
}

Result<Accepted> Store::Accept(const Acceptance& acceptance, WallTime now) {
  std::vector<std::uint64_t> hashes;
  hashes.reserve(acceptance.batch->records.size());
  for (const ReceivedRecord& record : acceptance.batch->records) {
    hashes.push_back(RecordIdHash(record.record_id));
  }
  const std::lock_guard lock(mutex_);
  Result<std::optional<Accepted>> earlier = impl_->FindEarlier(acceptance);
  if (!earlier) {
    return earlier.error();
  }
  if (earlier->has_value()) {
    return std::move(**earlier);
  }
  if (Status begun = Execute(impl_->database, "BEGIN IMMEDIATE"); !begun) {
    return begun.error();
  }
  StoreCounts after = impl_->counts;
  Status done = impl_->Write(acceptance, hashes, now, after);
  if (done) {
    done = Execute(impl_->database, "COMMIT");
  }
  if (!done) {
    sqlite3_exec(impl_->database, "ROLLBACK", nullptr, nullptr, nullptr);
    return done.error();
  }
  impl_->counts = after;
  return Accepted{};
}

Result<bool> Store::InTransaction(const std::function<Result<bool>(Impl&)>& change) {
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(Execute(impl_->database, "BEGIN IMMEDIATE"));
  Result<bool> changed = change(*impl_);
  const Status done = changed ? Execute(impl_->database, "COMMIT") : Status(changed.error());
  if (!done) {
    sqlite3_exec(impl_->database, "ROLLBACK", nullptr, nullptr, nullptr);
    return done.error();
  }
  return changed;
}

Result<bool> Store::Forget(std::string_view record_id) {
  return InTransaction([&](Impl& impl) {
    Result<bool> removed = impl.Remove(record_id);
    impl.counts.records -= removed && *removed ? 1U : 0U;
    return removed;
  });
}

Result<bool> Store::Falsify(std::string_view record_id, const std::string& measurement, double value) {
  return InTransaction([&](Impl& impl) { return impl.Change(record_id, measurement, value); });
}

Result<std::vector<ReconciliationWindow>> Store::Reconcile(const ReconciliationQuery& query) {
  const std::lock_guard lock(mutex_);
  return impl_->Windows(query);
}

StoreCounts Store::Counts() {
  const std::lock_guard lock(mutex_);
  return impl_->counts;
}

}  // namespace packhorse::cloud
