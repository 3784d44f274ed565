// The queue against bare SQLite on the same disk.
//   raw-insert      one row per message, one synced commit per message (WAL, synchronous=FULL): the raw limit of
//                   append-strict
//   raw-batches     500 rows per synced commit: the raw limit of append, which also syncs many at a time
//   raw-drain       500 rows read and deleted per commit: the raw limit of drain
//   append          Queue::Append, one caller, mode window: journal, memory, checkpoints
//   append-strict   the same in mode strict: what each acknowledged message costs when it waits for the disk
//   drain           Peek, Prepare, Settle in batches of 500 over what was appended before (not measured)
//   read            the same messages after a restart, from the disk: what reading a backlog costs
//   backlog         memory, start and cost per message with that many messages queued
#include <sqlite3.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/memory.h"
#include "bench/meter.h"
#include "queue/queue.h"
#include "support/temp_dir.h"

namespace packhorse::bench {
namespace {

constexpr std::size_t kBatch = 500;

void Execute(sqlite3* database, const char* sql) {
  if (sqlite3_exec(database, sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
    Fail(std::string(sql) + ": " + sqlite3_errmsg(database));
  }
}

sqlite3_stmt* Prepare(sqlite3* database, const char* sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(database, sql, -1, &statement, nullptr) != SQLITE_OK) {
    Fail(std::string(sql) + ": " + sqlite3_errmsg(database));
  }
  return statement;
}

class RawTable {
 public:
  explicit RawTable(const std::string& path) {
    if (sqlite3_open(path.c_str(), &database_) != SQLITE_OK) {
      Fail("cannot open " + path);
    }
    Execute(database_, "PRAGMA journal_mode=WAL");
    Execute(database_, "PRAGMA synchronous=FULL");
    Execute(database_, "PRAGMA secure_delete=OFF");
    Execute(database_, "CREATE TABLE m (id INTEGER PRIMARY KEY, at INTEGER, topic TEXT, payload BLOB)");
    insert_ = Prepare(database_, "INSERT INTO m (at, topic, payload) VALUES (?, ?, ?)");
    select_ = Prepare(database_, "SELECT id, payload FROM m ORDER BY id LIMIT 500");
    remove_ = Prepare(database_, "DELETE FROM m WHERE id <= ?");
  }
  ~RawTable() {
    sqlite3_finalize(insert_);
    sqlite3_finalize(select_);
    sqlite3_finalize(remove_);
    sqlite3_close(database_);
  }
  RawTable(const RawTable&) = delete;
  RawTable& operator=(const RawTable&) = delete;

  void Begin() { Execute(database_, "BEGIN IMMEDIATE"); }
  void Commit() { Execute(database_, "COMMIT"); }

  void Insert(std::uint64_t number) {
    const auto& [topic, payload] = traffic_.At(number);
    sqlite3_bind_int64(insert_, 1, static_cast<sqlite3_int64>(number));
    sqlite3_bind_text(insert_, 2, topic.data(), static_cast<int>(topic.size()), SQLITE_STATIC);
    sqlite3_bind_blob(insert_, 3, payload.data(), static_cast<int>(payload.size()), SQLITE_STATIC);
    if (sqlite3_step(insert_) != SQLITE_DONE) {
      Fail(sqlite3_errmsg(database_));
    }
    sqlite3_reset(insert_);
  }

  // Reads and deletes up to 500 rows in one commit; the number of rows.
  std::uint64_t Take() {
    Begin();
    std::uint64_t rows = 0;
    sqlite3_int64 last = 0;
    std::size_t bytes = 0;
    while (sqlite3_step(select_) == SQLITE_ROW) {
      last = sqlite3_column_int64(select_, 0);
      bytes += static_cast<std::size_t>(sqlite3_column_bytes(select_, 1));
      ++rows;
    }
    sqlite3_reset(select_);
    sqlite3_bind_int64(remove_, 1, last);
    sqlite3_step(remove_);
    sqlite3_reset(remove_);
    Commit();
    return bytes > 0 ? rows : 0;
  }

 private:
  sqlite3* database_ = nullptr;
  sqlite3_stmt* insert_ = nullptr;
  sqlite3_stmt* select_ = nullptr;
  sqlite3_stmt* remove_ = nullptr;
  const Traffic& traffic_ = Traffic::Shared();
};

void RawInsert(std::uint64_t messages, const std::string& directory) {
  RawTable table(directory + "/raw.db");
  const Usage before = Measure();
  for (std::uint64_t i = 0; i < messages; ++i) {
    table.Insert(i);  // a statement outside a transaction is one
  }
  Print("queue/raw-insert", messages, before, Measure());
}

void RawBatches(std::uint64_t messages, const std::string& directory) {
  RawTable table(directory + "/raw.db");
  const Usage before = Measure();
  for (std::uint64_t i = 0; i < messages; ++i) {
    if (i % kBatch == 0) {
      table.Begin();
    }
    table.Insert(i);
    if (i % kBatch == kBatch - 1 || i + 1 == messages) {
      table.Commit();
    }
  }
  Print("queue/raw-batches", messages, before, Measure());
}

void Fill(RawTable& table, std::uint64_t messages) {
  table.Begin();
  for (std::uint64_t i = 0; i < messages; ++i) {
    table.Insert(i);
  }
  table.Commit();
}

void RawFill(std::uint64_t messages, const std::string& directory) {
  RawTable table(directory + "/raw.db");
  const Usage before = Measure();
  Fill(table, messages);
  Print("queue/raw-fill", messages, before, Measure());
}

void RawDrain(std::uint64_t messages, const std::string& directory) {
  RawTable table(directory + "/raw.db");
  Fill(table, messages);
  const Usage before = Measure();
  while (table.Take() > 0) {
  }
  Print("queue/raw-drain", messages, before, Measure());
}

// Counts the calls of Options::wake, so that the loop can wait for the next one.
std::atomic<std::uint32_t> wakes{0};

std::unique_ptr<queue::Queue> OpenQueue(const std::string& directory, const test::TempDir& runtime,
                                        bool strict = false) {
  queue::Options options;
  options.path = directory + "/queue.db";
  options.runtime_dir = runtime.path();
  options.strict = strict;
  options.streams = {{"telemetry", Lane::kNormal, {"cloud"}}};
  options.destinations = {"cloud"};
  options.wake = [] {
    wakes.fetch_add(1);
    wakes.notify_one();
  };
  auto opened = queue::Open(std::move(options), SystemClock());
  if (!opened) {
    Fail(opened.error().message);
  }
  return std::move(opened).value();
}

void AppendAll(queue::Queue& queue, const Traffic& traffic, std::uint64_t messages) {
  const auto stream = queue.Stream("telemetry");
  if (!stream) {
    Fail(stream.error().message);
  }
  for (std::uint64_t i = 0; i < messages; ++i) {
    RawMessage message;
    message.stream = *stream;
    message.topic = traffic.At(i).topic;
    message.payload = traffic.At(i).payload;
    message.received_at = SystemClock().Wall();
    message.boot_time = SystemClock().Boot();
    message.qos = 1;
    const auto sequence = queue.Append(std::move(message));
    if (!sequence) {
      Fail(sequence.error().message);
    }
  }
}

void Append(std::uint64_t messages, const std::string& directory, bool strict) {
  const test::TempDir runtime(kInMemory);
  const Traffic& traffic = Traffic::Shared();
  const auto queue = OpenQueue(directory, runtime, strict);
  const Usage before = Measure();
  AppendAll(*queue, traffic, messages);
  queue->Stop();
  Print(strict ? "queue/append-strict" : "queue/append", messages, before, Measure());
}

queue::PrepareRequest Prepared(const queue::Pending& pending) {
  auto batch = std::make_unique<queue::PreparedBatch>();
  batch->destination = "cloud";
  batch->idempotency_key = "bench-" + std::to_string(pending.from);
  batch->trace_id = std::string(32, '1');
  batch->contract = "packhorse-ingest@1.0";
  batch->content_type = "application/json";
  batch->path = "/v1/telemetry";
  batch->records = static_cast<std::uint32_t>(pending.messages.size());
  for (const auto& stored : pending.messages) {
    batch->body += stored.message.payload.substr(0, 50);  // about what gzip leaves of it
    batch->members.push_back({.sequence = stored.sequence, .stream = stored.message.stream});
  }
  batch->uncompressed_bytes = batch->body.size() * 4;
  queue::PrepareRequest request;
  request.destination = "cloud";
  request.from = pending.from;
  request.through = pending.through;
  request.batches.push_back(std::move(batch));
  return request;
}

// Runs completions until `done` holds.
void PollUntil(queue::Queue& queue, const bool& done) {
  while (!done) {
    const std::uint32_t seen = wakes.load();
    queue.Poll();
    if (!done) {
      wakes.wait(seen);
    }
  }
}

void TakeAll(queue::Queue& queue, std::uint64_t messages) {
  std::uint64_t taken = 0;
  while (taken < messages) {
    auto pending = queue.Peek("cloud", Lane::kNormal, kBatch, 1ULL << 20U);
    if (!pending || pending->messages.empty()) {
      Fail("the queue ran dry");
    }
    taken += pending->messages.size();
    bool done = false;
    queue::BatchId id = 0;
    queue.Prepare(Prepared(*pending), [&](Result<std::vector<queue::BatchId>> ids) {
      if (!ids) {
        Fail(ids.error().message);
      }
      id = ids->front();
      done = true;
    });
    PollUntil(queue, done);
    done = false;
    queue::Settlement settlement;
    settlement.batch = id;
    settlement.http_status = 200;
    settlement.attempts = 1;
    queue.Settle(std::move(settlement), [&](const Result<std::vector<queue::BatchId>>& ids) {
      if (!ids) {
        Fail(ids.error().message);
      }
      done = true;
    });
    PollUntil(queue, done);
  }
}

void Drain(std::uint64_t messages, const std::string& directory) {
  const test::TempDir runtime(kInMemory);
  const auto queue = OpenQueue(directory, runtime);
  AppendAll(*queue, Traffic::Shared(), messages);
  const Usage before = Measure();
  TakeAll(*queue, messages);
  Print("queue/drain", messages, before, Measure());
  queue->Stop();
}

void Read(std::uint64_t messages, const std::string& directory) {
  const test::TempDir runtime(kInMemory);
  {
    const auto queue = OpenQueue(directory, runtime);
    AppendAll(*queue, Traffic::Shared(), messages);
    queue->Stop();
  }
  const auto queue = OpenQueue(directory, runtime);
  const Usage before = Measure();
  TakeAll(*queue, messages);
  Print("queue/read", messages, before, Measure());
  queue->Stop();
}

std::uint64_t ResidentKib() {
  std::ifstream status("/proc/self/status");
  std::uint64_t kib = 0;
  for (std::string word; status >> word;) {
    if (word == "VmRSS:") {
      status >> kib;
    }
  }
  return kib;
}

// Appends to a short backlog and to a long one; then opens the long one.
void Backlog(std::uint64_t messages, const std::string& directory) {
  constexpr std::uint64_t kShort = 10'000;
  constexpr std::uint64_t kProbe = 40'000;  // enough for several checkpoints
  if (messages < kShort + 2 * kProbe) {
    Fail("backlog: at least " + std::to_string(kShort + 2 * kProbe) + " messages");
  }
  const test::TempDir runtime(kInMemory);
  const Traffic& traffic = Traffic::Shared();
  double cost[2] = {};
  std::uint64_t resident[2] = {};
  {
    const auto queue = OpenQueue(directory, runtime);
    const auto probe = [&](std::size_t which) {
      const Usage before = Measure();
      AppendAll(*queue, traffic, kProbe);
      cost[which] = (Measure().cpu_seconds - before.cpu_seconds) * 1e6 / kProbe;
      resident[which] = ResidentKib();
    };
    AppendAll(*queue, traffic, kShort);
    probe(0);
    AppendAll(*queue, traffic, messages - kShort - 2 * kProbe);
    probe(1);
    queue->Stop();
  }
  const auto begin = std::chrono::steady_clock::now();
  const auto queue = OpenQueue(directory, runtime);
  const auto took = std::chrono::steady_clock::now() - begin;
  std::printf("name=queue/backlog messages=%llu cpu_us_short=%.2f cpu_us_long=%.2f growth_kib=%lld start_ms=%.1f\n",
              static_cast<unsigned long long>(messages), cost[0], cost[1],
              static_cast<long long>(resident[1]) - static_cast<long long>(resident[0]),
              std::chrono::duration<double, std::milli>(took).count());
  queue->Stop();
}

}  // namespace
}  // namespace packhorse::bench

int main(int argc, char** argv) {
  using namespace packhorse::bench;
  const Arguments arguments = ParseArguments(
      argc, argv,
      "bench_queue raw-insert|raw-batches|raw-fill|raw-drain|append|append-strict|drain|read|backlog MESSAGES");
  packhorse::TuneMemory();
  const packhorse::test::TempDir directory;
  if (arguments.mode == "raw-insert") {
    RawInsert(arguments.messages, directory.path());
  } else if (arguments.mode == "raw-batches") {
    RawBatches(arguments.messages, directory.path());
  } else if (arguments.mode == "raw-drain") {
    RawDrain(arguments.messages, directory.path());
  } else if (arguments.mode == "raw-fill") {
    RawFill(arguments.messages, directory.path());
  } else if (arguments.mode == "append" || arguments.mode == "append-strict") {
    Append(arguments.messages, directory.path(), arguments.mode == "append-strict");
  } else if (arguments.mode == "read") {
    Read(arguments.messages, directory.path());
  } else if (arguments.mode == "backlog") {
    Backlog(arguments.messages, directory.path());
  } else if (arguments.mode == "drain") {
    Drain(arguments.messages, directory.path());
  } else {
    Fail("unknown mode " + arguments.mode);
  }
  return 0;
}
