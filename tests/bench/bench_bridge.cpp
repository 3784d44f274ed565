// The whole bridge: publisher -> mosquitto -> packhorsed -> reference cloud, each a process of its own; measured is
// packhorsed. Done when the cloud's database holds every message.
//   full        as fast as the broker takes them
//   up-RATE     that many messages a second while the cloud is there
//   outage      the cloud is away while everything arrives as fast as the broker takes it, then comes back
//   down-RATE   the same at that many messages a second
#include <sqlite3.h>

#include <chrono>
#include <optional>
#include <string>
#include <thread>

#include "bench/load.h"
#include "bench/meter.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace packhorse::bench {
namespace {

constexpr std::chrono::minutes kPatience{15};

std::string Configuration(const Broker& broker, int cloud_port, const std::string& directory,
                          const test::TempDir& runtime) {
  return R"({ "gateway": { "id": "bench" },
  "sources": [ { "name": "plant", "urls": [")" +
         broker.url() + R"("], "client_id": "bench-bridge" } ],
  "streams": [ { "name": "telemetry", "source": "plant", "topics": ["site/{site}/dev/{device}/telemetry"],
                 "contract": "generic-json@1", "destinations": ["cloud"] } ],
  "queue": { "path": ")" +
         directory + R"(/queue.db", "runtime_dir": ")" + runtime.path() + R"(", "clock_wait": "0s" },
  "destinations": [ { "name": "cloud", "contract": "packhorse-ingest@1", "url": "http://127.0.0.1:)" +
         std::to_string(cloud_port) + R"(", "auth": { "type": "none" },
                      "batch": { "max_records": 500, "max_bytes": "1MiB", "max_age": "500ms" },
                      "limits": [ { "requests": 100000, "per": "1s" } ], "compression": "gzip" } ],
  "control": { "socket": ")" +
         directory + R"(/control.sock" },
  "log": { "level": "warning", "format": "text" } })";
}

std::uint64_t RecordsInCloud(const std::string& path) {
  sqlite3* database = nullptr;
  sqlite3_stmt* statement = nullptr;
  std::uint64_t count = 0;
  if (sqlite3_open_v2(path.c_str(), &database, SQLITE_OPEN_READONLY, nullptr) == SQLITE_OK &&
      sqlite3_prepare_v2(database, "SELECT count(*) FROM records", -1, &statement, nullptr) == SQLITE_OK &&
      sqlite3_step(statement) == SQLITE_ROW) {
    count = static_cast<std::uint64_t>(sqlite3_column_int64(statement, 0));
  }
  sqlite3_finalize(statement);
  sqlite3_close(database);
  return count;
}

bool Subscribed(const std::string& directory) {
  const auto status = test::Run(
      {std::string(BINARY_DIR) + "/bin/packhorse", "--socket", directory + "/control.sock", "status", "--json"});
  return status.out.find("\"connected\"") != std::string::npos;
}

void Bridge(const Arguments& arguments, const std::string& directory) {
  const Broker broker(directory);
  const int cloud_port = test::FreePort();
  const test::TempDir runtime(kInMemory);
  const bool outage = arguments.mode == "outage" || arguments.mode.starts_with("down-");
  const std::uint64_t rate = RateOf(arguments.mode);
  std::optional<test::Process> cloud;
  if (!outage) {
    cloud.emplace(StartCloud(cloud_port, directory));
  }
  test::WriteAll(directory + "/packhorse.json", Configuration(broker, cloud_port, directory, runtime));
  const test::Process bridge({std::string(BINARY_DIR) + "/bin/packhorsed", "--config", directory + "/packhorse.json"},
                             directory + "/bridge.log");
  if (!test::WaitFor([&] { return Subscribed(directory); })) {
    Fail("packhorsed does not connect: " + test::ReadAll(directory + "/bridge.log"));
  }
  const std::string pid = std::to_string(bridge.pid());

  const Usage before = Measure(pid);
  test::Process publisher = StartPublisher(broker.port(), arguments.messages, rate, directory);
  if (!publisher.Wait(kPatience)) {
    Fail("the publisher did not finish");
  }
  const std::string name = "bridge/" + arguments.mode;
  Usage drained_from = before;
  if (outage) {
    // The broker holds what the bridge has not taken yet; the outage lasts until the bridge has all of it.
    std::uint64_t last = 0;
    test::WaitFor(
        [&] {
          const std::uint64_t now = Measure(pid).written_bytes;
          const bool quiet = now == last;
          last = now;
          std::this_thread::sleep_for(std::chrono::seconds(3));
          return quiet;
        },
        kPatience);
    Print(name + "-arrive", arguments.messages, before, Measure(pid));
    drained_from = Measure(pid);
    cloud.emplace(StartCloud(cloud_port, directory));
  }
  if (!test::WaitFor([&] { return RecordsInCloud(directory + "/cloud.db") >= arguments.messages; }, kPatience)) {
    Fail("the cloud has " + std::to_string(RecordsInCloud(directory + "/cloud.db")) + " of " +
         std::to_string(arguments.messages) + ": " + test::ReadAll(directory + "/bridge.log"));
  }
  Print(outage ? name + "-drain" : name, arguments.messages, drained_from, Measure(pid));
}

}  // namespace
}  // namespace packhorse::bench

int main(int argc, char** argv) {
  using namespace packhorse::bench;
  const Arguments arguments = ParseArguments(argc, argv, "bench_bridge full|up-RATE|outage|down-RATE MESSAGES");
  if (arguments.mode != "full" && arguments.mode != "outage" && !arguments.mode.starts_with("up-") &&
      !arguments.mode.starts_with("down-")) {
    Fail("unknown mode " + arguments.mode);
  }
  const packhorse::test::TempDir directory;
  Bridge(arguments, directory.path());
  return 0;
}
