#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "cloud.h"
#include "status.h"
#include "support/process.h"

namespace packhorse::demo {

struct StageOptions {
  std::string bin;                  // folder of packhorsed, packhorse, packhorse-cloud, packhorse-fleet
  std::string work;                 // everything that is written goes here; emptied first
  std::string cloud = "reference";  // or "influxdb"
  std::uint32_t devices = 200;
  double rate = 400;  // messages per second of the whole fleet
};

// The real parts on free loopback ports: broker, cloud, bridge, devices. All of them die with this process. One thread.
class Stage {
 public:
  explicit Stage(StageOptions options);

  // Starts broker, cloud and bridge and waits until they are connected. The message says which part failed and where
  // its log is.
  packhorse::Status Start();
  packhorse::Status StartFleet();

  // The cloud is killed, not asked: its connections break, its port refuses.
  void TakeCloudAway() { cloud_->Kill(); }
  packhorse::Status BringCloudBack();

  // Asks the bridge with the CLI; none while it does not answer.
  std::optional<demo::Status> AskBridge() const;
  // Name and log of a part that ended by itself; empty while all run. The cloud counts unless it was taken away.
  std::string DeadPart(bool cloud_expected);

  // Ends the fleet after its last acknowledgement; how many messages the broker acknowledged to it.
  Result<std::uint64_t> StopFleet();
  // Ends bridge, cloud and broker, in this order. Messages in the cloud's own database, each counted once however often
  // and in how many records it came.
  Result<std::uint64_t> StopAndCount();

  std::string Log(const std::string& part) const { return options_.work + "/" + part + ".log"; }
  const StageOptions& options() const { return options_; }
  int broker_port() const { return broker_port_; }

 private:
  packhorse::Status Prepare();
  packhorse::Status StartCloud();
  void WriteConfiguration() const;
  std::string Path(const std::string& name) const { return options_.work + "/" + name; }
  std::string Bin(const std::string& name) const { return options_.bin + "/" + name; }
  Error Failed(const std::string& part, const std::string& what) const;

  StageOptions options_;
  int broker_port_ = 0;
  std::optional<test::Process> broker_;
  std::unique_ptr<Cloud> cloud_;
  std::optional<test::Process> bridge_;
  std::optional<test::Process> fleet_;
};

}  // namespace packhorse::demo
