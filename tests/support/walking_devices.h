#pragma once

#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace packhorse::test {

// Telemetry as a site sends it: a thousand devices whose readings walk at random, each in its own time, in JSON of
// about 200 bytes. The same seed gives the same messages on every machine. Not thread-safe.
class WalkingDevices {
 public:
  struct Message {
    std::string topic;
    std::string payload;
  };
  explicit WalkingDevices(std::uint32_t seed);
  // Of any device; `ms`: the time that it says, milliseconds since 1970.
  Message Next(std::int64_t ms);

 private:
  static constexpr std::size_t kDevices = 1'000;
  struct Device {
    // Hundredths, tenths or thousandths: whole numbers, since those of a generator are the same everywhere.
    int temperature, humidity, pressure, voltage, percent, rssi;
    std::array<int, 3> vibration;
    unsigned sequence;
  };
  // A step of up to `most` in either direction, mostly a small one.
  int Step(int most);
  int Between(int least, int most) {
    return least + static_cast<int>(random_() % static_cast<std::uint32_t>(most - least + 1));
  }

  std::mt19937 random_;
  std::vector<Device> devices_;
};

}  // namespace packhorse::test
