#include "stage.h"

#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

namespace packhorse::demo {
namespace {

using test::Process;
using test::WaitFor;
namespace fs = std::filesystem;

constexpr std::size_t kMaxSocketPathBytes = 107;  // sockaddr_un
constexpr std::string_view kMarker = "packhorse-demo.folder";

// In a session of its own a part does not get the terminal's Ctrl-C: the demonstration ends in order, with its proof.
std::vector<std::string> OwnSession(std::vector<std::string> argv) {
  argv.insert(argv.begin(), "setsid");
  return argv;
}

// Debian keeps the broker where the PATH of a normal user does not look.
std::string MosquittoProgram() {
  return access("/usr/sbin/mosquitto", X_OK) == 0 ? "/usr/sbin/mosquitto" : "mosquitto";
}

}  // namespace

Stage::Stage(StageOptions options) : options_(std::move(options)) {}

Error Stage::Failed(const std::string& part, const std::string& what) const {
  return Error{ErrorCode::kUnavailable, part + " " + what + "; its log: " + Log(part)};
}

packhorse::Status Stage::Prepare() {
  std::error_code error;
  const fs::path work(options_.work);
  // Only a folder that an earlier run made is emptied: a mistyped --work must not cost anybody's files.
  if (fs::exists(work, error) && !fs::is_empty(work, error) && !fs::exists(work / kMarker, error)) {
    return Error{ErrorCode::kAlreadyExists,
                 options_.work + " has files that are not the demonstration's: name another"};
  }
  fs::remove_all(work, error);
  fs::create_directories(work / "run", error);
  if (error) {
    return Error{ErrorCode::kIo, "make " + options_.work + ": " + error.message()};
  }
  test::WriteAll(Path(std::string(kMarker)), "");
  if (Path("run/control.sock").size() > kMaxSocketPathBytes) {
    return Error{ErrorCode::kLimitExceeded,
                 "the path of " + options_.work + " is too long for a socket in it: name a shorter folder with --work"};
  }
  return {};
}

packhorse::Status Stage::Start() {
  if (packhorse::Status prepared = Prepare(); !prepared) {
    return prepared;
  }
  broker_port_ = test::FreePort();
  test::WriteAll(Path("mosquitto.conf"), "listener " + std::to_string(broker_port_) +
                                             " 127.0.0.1\nallow_anonymous true\npersistence false\n"
                                             "max_queued_messages 0\nlog_dest stdout\n" +
                                             // Started as root it would change its user, and with that forget that it
                                             // is to die with this process (prctl(2), PR_SET_PDEATHSIG).
                                             (geteuid() == 0 ? "user root\n" : ""));
  broker_.emplace(OwnSession({MosquittoProgram(), "-c", Path("mosquitto.conf")}), Log("mosquitto"));
  if (!WaitFor([&] { return test::PortOpen(broker_port_) || !broker_->Running(); }) || !broker_->Running()) {
    return Failed("mosquitto", "did not start");
  }
  cloud_ = MakeCloud(options_.cloud, {options_.bin, options_.work, OwnSession({})});
  if (packhorse::Status started = StartCloud(); !started) {
    return started;
  }
  WriteConfiguration();
  bridge_.emplace(OwnSession({Bin("packhorsed"), "--config", Path("packhorse.json")}), Log("packhorsed"));
  const bool connected = WaitFor([&] {
    const std::optional<demo::Status> status = bridge_->Running() ? AskBridge() : std::nullopt;
    return !bridge_->Running() || (status && status->source_state == "connected");
  });
  if (!connected || !bridge_->Running()) {
    return Failed("packhorsed", connected ? "ended at its start" : "did not connect to the broker in 20 s");
  }
  return {};
}

packhorse::Status Stage::StartCloud() {
  if (packhorse::Status started = cloud_->Start(); !started) {
    return Failed(cloud_->name(), started.error().message);
  }
  return {};
}

packhorse::Status Stage::BringCloudBack() { return StartCloud(); }

void Stage::WriteConfiguration() const {
  const auto stream = [](const char* name, const char* topic) {
    return nlohmann::ordered_json{{"name", name},
                                  {"source", "plant"},
                                  {"topics", {topic}},
                                  {"contract", "generic-json@1"},
                                  {"destinations", {"cloud"}}};
  };
  const nlohmann::ordered_json limits = {{{"requests", 200}, {"per", "10s"}}, {{"requests", 600}, {"per", "1m"}}};
  nlohmann::ordered_json destination = {{"name", "cloud"},
                                        {"batch", {{"max_records", 500}, {"max_bytes", "1MiB"}, {"max_age", "500ms"}}},
                                        {"limits", limits},
                                        {"compression", "gzip"}};
  destination.update(cloud_->Destination());
  const nlohmann::ordered_json source = {{"name", "plant"},
                                         {"urls", {"mqtt://127.0.0.1:" + std::to_string(broker_port_)}},
                                         {"client_id", "packhorse-demo"}};
  nlohmann::ordered_json configuration;
  configuration["gateway"] = {{"id", "demo-gateway"}, {"attributes", {{"site", "plant-7"}}}};
  configuration["sources"] = nlohmann::ordered_json::array({source});
  configuration["streams"] = nlohmann::ordered_json::array({stream("telemetry", "site/{site}/dev/{device}/telemetry"),
                                                            stream("buffered", "site/{site}/dev/{device}/batch")});
  configuration["destinations"] = nlohmann::ordered_json::array({destination});
  configuration["queue"] = {{"path", Path("queue.db")}, {"runtime_dir", Path("run")}, {"clock_wait", "0s"}};
  configuration["control"] = {{"socket", Path("run/control.sock")}};
  configuration["log"] = {{"level", "info"}, {"format", "text"}};
  test::WriteAll(Path("packhorse.json"), configuration.dump(2) + "\n");
}

packhorse::Status Stage::StartFleet() {
  fleet_.emplace(OwnSession({Bin("packhorse-fleet"), "--broker", "127.0.0.1:" + std::to_string(broker_port_),
                             "--devices", std::to_string(options_.devices), "--rate", std::to_string(options_.rate)}),
                 Log("packhorse-fleet"));
  return {};
}

std::optional<demo::Status> Stage::AskBridge() const {
  const test::RunResult answer =
      test::Run(OwnSession({Bin("packhorse"), "--socket", Path("run/control.sock"), "status", "--json"}), "", {},
                std::chrono::seconds(5));
  return ParseStatus(answer.out);
}

std::string Stage::DeadPart(bool cloud_expected) {
  const auto dead = [&](std::optional<test::Process>& process, const char* name) {
    return process && !process->Running() ? std::string(name) + " ended by itself; its log: " + Log(name) : "";
  };
  std::string text = dead(bridge_, "packhorsed");
  if (text.empty()) {
    text = dead(broker_, "mosquitto");
  }
  if (text.empty() && cloud_expected && !cloud_->Running()) {
    text = cloud_->name() + " ended by itself; its log: " + Log(cloud_->name());
  }
  return text.empty() ? dead(fleet_, "packhorse-fleet") : text;
}

Result<std::uint64_t> Stage::StopFleet() {
  const int code = fleet_->Stop(std::chrono::seconds(40));
  fleet_.reset();
  const std::string text = test::ReadAll(Log("packhorse-fleet"));
  const auto report = nlohmann::json::parse(text, nullptr, false);
  if (code != 0 || !report.is_object() || !report.contains("acknowledged") ||
      !report["acknowledged"].is_number_unsigned()) {
    return Failed("packhorse-fleet", "did not get all its messages acknowledged");
  }
  return report["acknowledged"].get<std::uint64_t>();
}

Result<std::uint64_t> Stage::StopAndCount() {
  const int bridge = bridge_->Stop(std::chrono::seconds(30));
  Result<std::uint64_t> count = cloud_->StopAndCount();
  broker_->Stop();
  if (bridge != 0) {
    return Failed("packhorsed", "ended with exit code " + std::to_string(bridge));
  }
  if (!count) {
    return Failed(cloud_->name(), count.error().message);
  }
  return count;
}

}  // namespace packhorse::demo
