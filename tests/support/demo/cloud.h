#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/result.h"

namespace packhorse::demo {

// Where the demonstration's cloud is, and what starts it.
struct CloudOptions {
  std::string bin;                    // folder of packhorse-cloud
  std::string work;                   // folder for everything that is written
  std::vector<std::string> launcher;  // goes before the arguments of a program
};

// The cloud of the demonstration: a real server on loopback that keeps what it gets on the disk. One thread.
class Cloud {
 public:
  virtual ~Cloud() = default;
  // As messages and logs call it.
  virtual std::string name() const = 0;
  // Starts it, or starts it again after a Kill().
  virtual packhorse::Status Start() = 0;
  virtual void Kill() = 0;
  virtual bool Running() = 0;
  // The members of its `destinations` entry that depend on the cloud: contract, url, auth, settings.
  virtual nlohmann::ordered_json Destination() const = 0;
  // Ends it, and counts the messages in its own database, each once however often and in how many records it came.
  virtual Result<std::uint64_t> StopAndCount() = 0;
};

// "reference": the cloud of packhorse-ingest@1. "influxdb": an InfluxDB 1 of the machine. Null for another name.
std::unique_ptr<Cloud> MakeCloud(const std::string& name, CloudOptions options);

}  // namespace packhorse::demo
