#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/mosquitto.h"
#include "support/mqtt_client.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace packhorse::test {

// JSON of about 4 KB with this "seq" that hardly compresses.
std::string LargePayload(int seq);

// A whole site on loopback: a real mosquitto, the reference cloud, the daemon and its CLI, with everything they write
// in one temporary folder. Throws when a part does not start. Not thread-safe.
class Site {
 public:
  explicit Site(MosquittoOptions broker = {});
  ~Site();

  // The configuration that StartBridge() writes; tests change it before, or before Reload().
  nlohmann::json& config() { return config_; }
  void WriteConfig() const;

  // Another program than packhorsed takes its place from the next start on.
  void UseBridge(std::string program) { program_ = std::move(program); }
  void StartBridge(const std::map<std::string, std::string>& environment = {});
  // Without waiting for it to connect.
  void LaunchBridge(const std::map<std::string, std::string>& environment = {});
  int StopBridge(std::chrono::milliseconds grace = std::chrono::seconds(20)) { return bridge_->Stop(grace); }
  void KillBridge() { bridge_->Kill(); }
  Process& bridge() { return *bridge_; }
  bool BridgeConnected();

  void StartCloud();
  void KillCloud() { cloud_->Kill(); }
  // POST to the cloud's admin port: "/admin/faults", "/admin/settings", ...
  void Admin(const std::string& path, const std::string& body) const;

  Mosquitto& broker() { return broker_; }
  // Runs the CLI against this site's socket.
  RunResult Cli(std::vector<std::string> arguments, const std::string& input = "") const;
  nlohmann::json Status() const;
  nlohmann::json Destination() const;
  // First column of the first row of a query on the cloud's database.
  std::int64_t Cloud(const std::string& sql) const;
  std::int64_t CloudRecords() const { return Cloud("SELECT count(*) FROM records"); }

  // Publishes QoS 1 JSON on site/a/dev/<device>/telemetry and expects every one to be acknowledged. `seq` goes on.
  void Publish(std::size_t count, const std::string& device = "17");
  bool PublishRaw(const std::string& payload, bool retained = false, const std::string& device = "17");

  // Waits until the ledger says that nothing is pending and `received` messages came, and that it balances.
  bool Settled(std::uint64_t received, std::chrono::milliseconds timeout = std::chrono::seconds(60));
  bool DestinationIs(const std::string& state, std::chrono::milliseconds timeout = std::chrono::seconds(20));
  std::string BridgeLog() const { return ReadAll(dir_ / "packhorsed.log"); }
  std::string Path(const std::string& name) const { return dir_ / name; }
  std::string socket() const { return dir_ / "control.sock"; }
  static std::string Bin(const std::string& name);

 private:
  TempDir dir_;
  Mosquitto broker_;
  int cloud_port_ = 0;
  int admin_port_ = 0;
  nlohmann::json config_;
  std::optional<Process> cloud_;
  std::optional<Process> bridge_;
  std::string program_ = "packhorsed";
  std::uint64_t seq_ = 0;
};

}  // namespace packhorse::test
