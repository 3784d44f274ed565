#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "ingest/fingerprint.h"
#include "record/raw_message.h"

namespace packhorse::ingest {

// A soft rate for each device of a stream: as many messages at once, and on average as many in `per`.
struct DeviceRate {
  std::uint64_t messages = 0;       // 0: no rate
  std::chrono::milliseconds per{};  // > 0
  bool drops = false;               // what is over is dropped and counted; else it goes into lane bulk
};

// How one more message of a device stands to its rate.
enum class Pace : std::uint8_t {
  kWithin,
  kStillNoisy,  // within, but its device was over less than `per` ago
  kOver,        // does not count against the next ones
};

// A device that was over its rate, and how many of its messages were.
struct NoisyDevice {
  StreamId stream = 0;
  std::string device;  // empty: all further devices of the stream, when there are more than are told apart
  std::uint64_t messages = 0;
  std::uint64_t dropped = 0;  // of them
};

// Which messages are over their device's rate (generic cell rate algorithm, ITU-T I.371 annex A: one time per device).
// Remembers the 4,096 devices that were heard last; one that was forgotten begins anew, with a full burst. Not
// thread-safe: the receive thread asks, who reads what was over holds the same lock.
class DeviceRates {
 public:
  static constexpr std::size_t kMaxDevices = 4'096;
  static constexpr std::size_t kMaxNoisy = 100;  // told apart between two calls of TakeNoisy()

  // Takes note of one more message of the device at `now`.
  Pace Next(StreamId stream, std::string_view device, const DeviceRate& rate, MonoTime now);
  // What was over since the last call.
  std::vector<NoisyDevice> TakeNoisy();

 private:
  struct Device {
    Fingerprint print;
    MonoTime due{};          // when the device's messages so far would have come at an even pace
    MonoTime noisy_until{};  // `per` after the last one that was over
  };
  Device& Find(StreamId stream, std::string_view device, MonoTime now);
  void Note(StreamId stream, std::string_view device, bool dropped);

  std::list<Device> devices_;  // heard last first
  std::unordered_map<Fingerprint, std::list<Device>::iterator, FingerprintHash> index_;
  std::map<std::pair<StreamId, std::string>, NoisyDevice> noisy_;
};

}  // namespace packhorse::ingest
