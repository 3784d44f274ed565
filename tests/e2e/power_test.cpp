// Power cuts, end to end: the real daemon between a scripted broker that sees each acknowledgement's bytes and a
// scripted cloud, on a disk that keeps what was synced and part of the rest. The power fails at any write or sync.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <thread>

#include "site.h"
#include "support/scripted_broker.h"
#include "support/scripted_server.h"
#include "support/temp_dir.h"

namespace packhorse::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using Steady = std::chrono::steady_clock;

constexpr int kUnplugged = 111;  // as tests/support/unplugged ends
constexpr auto kWindow = 200ms;
// A machine that is busy with other tests checkpoints late: the window is a matter of the daemon's, not of who else
// runs.
constexpr auto kBusy = 500ms;
constexpr int kCutsEach = 4;
constexpr int kMessagesEach = 30;  // of a life
constexpr int kAtOnce = 16;        // most of their time they wait

std::uint64_t FromEnvironment(const char* name, std::uint64_t fallback) {
  const char* text = std::getenv(name);
  return text == nullptr ? fallback : std::strtoull(text, nullptr, 10);
}

// Remembers which message came under which record id. Some replies are errors, some get lost.
class Cloud {
 public:
  explicit Cloud(std::uint64_t seed)
      : random_(seed), server_([this](ScriptedConnection& connection, int) { Serve(connection); }) {}
  std::string url() const { return server_.url(); }
  std::set<int> Messages() const {
    const std::lock_guard lock(mutex_);
    std::set<int> messages;
    for (const auto& [id, seq] : records_) {
      messages.insert(seq);
    }
    return messages;
  }
  std::string problem() const {
    const std::lock_guard lock(mutex_);
    return problem_;
  }
  void BehaveFromNowOn() { behaves_ = true; }

 private:
  void Serve(ScriptedConnection& connection) {
    for (std::string request = connection.ReadRequest(); !request.empty(); request = connection.ReadRequest()) {
      const unsigned mood = behaves_ ? 9 : Mood();
      if (mood == 0) {
        connection.Write(ScriptedServer::Reply("503 Service Unavailable", ""));
        continue;
      }
      const std::size_t records = Take(request.substr(request.find("\r\n\r\n") + 4));
      if (mood == 1) {
        connection.Close();  // it has them, and nobody knows
        return;
      }
      connection.Write(ScriptedServer::Reply("200 OK", json{{"accepted", records}}.dump()));
    }
  }
  unsigned Mood() {
    const std::lock_guard lock(mutex_);
    return static_cast<unsigned>(random_() % 8);
  }
  std::size_t Take(const std::string& body) {
    const json records = json::parse(body)["records"];
    const std::lock_guard lock(mutex_);
    for (const json& record : records) {
      const std::string id = record["record_id"];
      const int seq = record["measurements"]["seq"]["value"];
      const auto [known, fresh] = records_.emplace(id, seq);
      if (!fresh && known->second != seq) {
        problem_ = id + " was message " + std::to_string(known->second) + " and is " + std::to_string(seq);
      }
    }
    return records.size();
  }

  mutable std::mutex mutex_;
  std::mt19937_64 random_;
  std::map<std::string, int> records_;  // guarded by mutex_
  std::string problem_;                 // likewise
  std::atomic<bool> behaves_{false};
  ScriptedServer server_;
};

class Gateway {
 public:
  explicit Gateway(std::uint64_t seed) : random_(seed), strict_(random_() % 2 == 0), cloud_(random_()) {
    std::filesystem::create_directory(Disk());
    WriteAll(dir_ / "token", "right\n", 0600);
    const json config = {
        {"gateway", {{"id", "gw"}}},
        {"sources",
         {{{"name", "plant"},
           {"urls", {broker_.url()}},
           {"client_id", "packhorse-test"},
           {"reconnect", {{"min", "20ms"}, {"max", "100ms"}}}}}},
        {"streams",
         {{{"name", "telemetry"},
           {"source", "plant"},
           {"topics", {"a/{device}"}},
           {"contract", "generic-json@1"},
           {"destinations", {"cloud"}}}}},
        {"queue",
         {{"path", Disk() + "/queue.db"},
          {"runtime_dir", dir_ / "run"},
          {"clock_wait", "0s"},
          {"durability",
           {{"mode", strict_ ? "strict" : "window"}, {"window", std::to_string(kWindow.count()) + "ms"}}}}},
        {"destinations",
         {{{"name", "cloud"},
           {"contract", "packhorse-ingest@1"},
           {"url", cloud_.url()},
           {"compression", "none"},
           {"auth", {{"type", "bearer"}, {"token", {{"file", dir_ / "token"}}}}},
           {"batch", {{"max_age", "20ms"}, {"max_records", 7}}},
           {"retry", {{"initial", "100ms"}, {"max", "200ms"}}},
           {"limits", {{{"requests", 100000}, {"per", "10s"}}}}}}},
        {"control", {{"socket", Socket()}}}};
    WriteAll(dir_ / "packhorse.json", config.dump(2));
  }

  // Until its power is cut, or all of this life's messages are sent and it has ended in order. Whether it was cut.
  bool Live() {
    Start({{"PACKHORSE_DISK", Disk()},
           {"PACKHORSE_CUT", std::to_string(1 + random_() % (random_() % 3 == 0 ? 40 : 160))},
           {"PACKHORSE_SEED", std::to_string(random_())},
           {"PACKHORSE_FAILED_SYNC", std::to_string(random_() % 3 == 0 ? 1 + random_() % 12 : 0)}});
    if (Subscribed()) {
      Redeliver();
      for (int i = 0; i < kMessagesEach && daemon_->Running(); ++i) {
        Publish();
        std::this_thread::sleep_for(std::chrono::milliseconds(random_() % 60));
      }
    }
    const int end = daemon_->Stop();
    NoteAcknowledged();
    if (end != kUnplugged) {
      return false;
    }
    const Steady::time_point cut{std::chrono::nanoseconds(std::stoll(ReadAll(Disk() + ".cut")))};
    std::filesystem::remove_all(dir_ / "run");
    // What may be lost: nothing in mode strict, else what was acknowledged in the last window.
    std::erase_if(acknowledged_, [&](const auto& each) { return !strict_ && each.second > cut - kWindow - kBusy; });
    return true;
  }

  // A last process, with power: what has to come does.
  void Check() {
    cloud_.BehaveFromNowOn();
    Start({});
    ASSERT_TRUE(Subscribed()) << Log();
    Redeliver();
    for (int i = 0; i < 5; ++i) {
      Publish();
    }
    ASSERT_TRUE(test::WaitFor([&] {
      NoteAcknowledged();
      return acknowledged_.contains(last_);
    })) << Log();
    ASSERT_TRUE(test::WaitFor([&] {
      Tool({"resume", "cloud"});  // a record that is set aside is tried at once then
      return Missing().empty();
    })) << (strict_ ? "strict" : "window")
        << ": message " << *Missing().begin() << " of " << Missing().size() << " was acknowledged and is lost\n"
        << Tool({"status"}).out << Log();
    EXPECT_EQ(cloud_.problem(), "");
    const RunResult ledger = Tool({"ledger", "--check"});
    EXPECT_EQ(ledger.exit_code, 0) << ledger.out << ledger.err << Log();
    EXPECT_EQ(daemon_->Stop(), 0) << Log();
  }

 private:
  std::string Disk() const { return dir_ / "disk"; }
  std::string Socket() const { return dir_ / "control.sock"; }
  std::string Log() const {
    const std::string log = ReadAll(dir_ / "log");
    return log.substr(log.size() > 3000 ? log.size() - 3000 : 0);
  }
  RunResult Tool(const std::vector<std::string>& command) const {
    std::vector<std::string> argv = {Site::Bin("packhorse"), "--socket", Socket()};
    argv.insert(argv.end(), command.begin(), command.end());
    return test::Run(argv);
  }
  void Start(const std::map<std::string, std::string>& environment) {
    subscriptions_ = broker_.Subscriptions();
    broker_.SetSessionPresent(subscriptions_ > 0);
    daemon_.emplace(std::vector<std::string>{Site::Bin("packhorsed-unplugged"), "--config", dir_ / "packhorse.json"},
                    dir_ / "log", environment);
  }
  bool Subscribed() {
    return test::WaitFor([&] { return broker_.Subscriptions() > subscriptions_ || !daemon_->Running(); }, 60s) &&
           daemon_->Running();
  }
  void Publish() {
    ++last_;
    Send(last_, false);
  }
  void Send(int seq, bool again) {
    broker_.Send({static_cast<std::uint16_t>(seq), json{{"seq", seq}}.dump(), again, 1, "a/17"});
  }
  // The broker keeps what was not acknowledged, and what was when that is not known to it.
  void Redeliver() {
    for (int seq = 1; seq <= last_; ++seq) {
      if (!heard_.contains(seq)) {
        Send(seq, true);
      }
    }
  }
  void NoteAcknowledged() {
    const std::vector<ScriptedBroker::Reply> replies = broker_.Replies();
    const std::vector<Steady::time_point> times = broker_.ReplyTimes();
    for (; noted_ < std::min(replies.size(), times.size()); ++noted_) {
      acknowledged_.emplace(replies[noted_].id, times[noted_]);
      heard_.insert(replies[noted_].id);
    }
  }
  std::set<int> Missing() const {
    const std::set<int> there = cloud_.Messages();
    std::set<int> missing;
    for (const auto& [seq, at] : acknowledged_) {
      if (!there.contains(seq)) {
        missing.insert(seq);
      }
    }
    return missing;
  }

  TempDir dir_;
  std::mt19937_64 random_;
  const bool strict_;
  Cloud cloud_;
  ScriptedBroker broker_;
  std::optional<Process> daemon_;
  int subscriptions_ = 0;
  int last_ = 0;
  std::size_t noted_ = 0;
  std::map<int, Steady::time_point> acknowledged_;  // those that must not be lost
  std::set<int> heard_;                             // of which an acknowledgement came
};

// How many cuts there were.
int RunGateway(std::uint64_t seed) {
  SCOPED_TRACE("PACKHORSE_SEED=" + std::to_string(seed));
  Gateway gateway(seed);
  int cuts = 0;
  for (int life = 0; life < kCutsEach; ++life) {
    cuts += gateway.Live() ? 1 : 0;
  }
  gateway.Check();
  return cuts;
}

TEST(PowerCutEndToEnd, AtAnyWriteOrSyncNothingSafeIsLostAndNoRecordIdMeansTwoMessages) {
  const std::uint64_t seed = FromEnvironment("PACKHORSE_SEED", std::random_device()());
  const std::uint64_t wanted = FromEnvironment("PACKHORSE_CUTS_END_TO_END", 250);
  test::WorkInMemory();  // the disk is simulated
  std::cout << "PACKHORSE_SEED=" << seed << " PACKHORSE_CUTS_END_TO_END=" << wanted << std::endl;
  std::atomic<std::uint64_t> next{seed};
  std::atomic<std::uint64_t> cuts{0};
  std::vector<std::thread> workers;
  for (int i = 0; i < kAtOnce; ++i) {
    workers.emplace_back([&] {
      while (cuts < wanted && !::testing::Test::HasFailure()) {
        cuts += static_cast<std::uint64_t>(RunGateway(next++));
      }
    });
  }
  for (std::thread& worker : workers) {
    worker.join();
  }
  std::cout << cuts << " cuts\n";
}

}  // namespace
}  // namespace packhorse::test
