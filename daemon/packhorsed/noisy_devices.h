#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "packhorsed/app.h"
#include "packhorsed/gaps.h"

namespace packhorse::daemon {

// Says which devices send more than streams[].device_rate allows: an event per device while it goes on
// (docs/RUNBOOK.md: device_noisy), and to each cloud what was dropped for it. Loop thread.
class NoisyDevices {
 public:
  static constexpr std::size_t kMaxDevices = 100;  // with an event of their own; the others share one per stream

  NoisyDevices(App& app, Gaps& gaps) : app_(app), gaps_(gaps) {}

  // To be called once a second.
  void Look(MonoTime now);

 private:
  using Key = std::pair<std::string, std::string>;  // stream, device; no device: all further ones
  // What an open event has counted.
  struct Noise {
    std::uint64_t messages = 0;
    std::uint64_t dropped = 0;
    MonoTime last{};
  };
  void Note(const std::string& stream, const ingest::NoisyDevice& noisy, MonoTime now);
  void TellClouds(const std::string& stream, std::uint64_t dropped, MonoTime now);
  void EndQuietOnes(MonoTime now);

  App& app_;
  Gaps& gaps_;
  std::map<Key, Noise> noise_;
};

}  // namespace packhorse::daemon
