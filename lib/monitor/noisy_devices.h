#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "base/clock.h"
#include "config/config.h"
#include "health/metrics.h"
#include "ingest/ingest.h"
#include "monitor/gaps.h"

namespace packhorse::monitor {

// Says which devices send more than streams[].device_rate allows: an event per device while it goes on
// (docs/RUNBOOK.md: device_noisy), and to each cloud what was dropped for it. Loop thread.
class NoisyDevices {
 public:
  static constexpr std::size_t kMaxDevices = 100;  // with an event of their own; the others share one per stream

  // `config` is the configuration in force: it changes in place.
  NoisyDevices(health::Events& events, const Clock& clock, const config::Config& config, Gaps& gaps)
      : events_(events), clock_(clock), config_(config), gaps_(gaps) {}

  // A device of that stream sent more than its rate since it was looked at last.
  void Note(const std::string& stream, const ingest::NoisyDevice& noisy, MonoTime now);
  // Ends the events of devices that kept their rate for a while. To be called once a second.
  void EndQuiet(MonoTime now);

 private:
  using Key = std::pair<std::string, std::string>;  // stream, device; no device: all further ones
  // What an open event has counted.
  struct Noise {
    std::uint64_t messages = 0;
    std::uint64_t dropped = 0;
    MonoTime last{};
  };
  void TellClouds(const std::string& stream, std::uint64_t dropped, MonoTime now);

  health::Events& events_;
  const Clock& clock_;
  const config::Config& config_;
  Gaps& gaps_;
  std::map<Key, Noise> noise_;
};

}  // namespace packhorse::monitor
