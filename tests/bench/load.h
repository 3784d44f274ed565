#pragma once

#include <cstdint>
#include <string>

#include "support/process.h"

namespace packhorse::bench {

// A mosquitto of its own on a free loopback port, set up so that it is the fastest broker it can be: nothing
// persistent, no limit on what it queues.
class Broker {
 public:
  // `directory` exists and takes its configuration and log.
  explicit Broker(const std::string& directory);
  int port() const { return port_; }
  std::string url() const { return "mqtt://127.0.0.1:" + std::to_string(port_); }
  double CpuSeconds() const;

 private:
  int port_;
  test::Process process_;
};

// Publishes `messages` of Traffic::Shared() at QoS 1 over one connection of MQTT 3.1.1, at most 1,000
// unacknowledged; returns when all are acknowledged. Plain sockets: a generator on a library would take the processor
// from what is measured. `per_second` 0: as fast as the broker takes them.
void Publish(int port, std::uint64_t messages, std::uint64_t per_second);

// Publish() in a process of its own, so that its time does not count as ours.
test::Process StartPublisher(int port, std::uint64_t messages, std::uint64_t per_second, const std::string& directory);

// The reference cloud on this loopback port, with its database in `directory`/cloud.db and no rate limit in effect.
test::Process StartCloud(int port, const std::string& directory);

}  // namespace packhorse::bench
