#include "support/walking_devices.h"

#include <algorithm>
#include <cstdio>

namespace packhorse::test {

WalkingDevices::WalkingDevices(std::uint32_t seed) : random_(seed) {
  for (std::size_t i = 0; i < kDevices; ++i) {
    devices_.push_back(Device{Between(1'500, 2'800),
                              Between(300, 700),
                              Between(9'900, 10'300),
                              Between(3'200, 4'100),
                              Between(20, 100),
                              Between(-95, -50),
                              {Between(0, 2'000), Between(0, 2'000), Between(0, 2'000)},
                              static_cast<unsigned>(Between(0, 99'999))});
  }
}

int WalkingDevices::Step(int most) { return (Between(-most, most) + Between(-most, most) + Between(-most, most)) / 3; }

WalkingDevices::Message WalkingDevices::Next(std::int64_t ms) {
  const std::size_t at = random_() % kDevices;
  Device& device = devices_[at];
  device.temperature = std::clamp(device.temperature + Step(12), -2'000, 6'000);
  device.humidity = std::clamp(device.humidity + Step(3), 0, 1'000);
  device.pressure = std::clamp(device.pressure + Step(2), 9'000, 10'900);
  device.voltage = std::clamp(device.voltage + Step(5), 2'500, 4'200);
  device.rssi = std::clamp(device.rssi + Step(4), -120, -20);
  for (int& axis : device.vibration) {
    axis = std::clamp(axis + Step(50), 0, 9'999);
  }
  std::array<char, 384> text{};
  const auto& [x, y, z] = device.vibration;
  const int length = std::snprintf(
      text.data(), text.size(),
      R"({"ts":%lld,"seq":%u,"temperature":%s%d.%02d,"humidity":%d.%d,"pressure":%d.%d,"battery":{"voltage":%d.%03d,)"
      R"("percent":%d},"vibration":[%d.%03d,%d.%03d,%d.%03d],"rssi":%d,"firmware":"1.4.2","ok":true})",
      static_cast<long long>(ms), ++device.sequence, device.temperature < 0 ? "-" : "",
      std::abs(device.temperature) / 100, std::abs(device.temperature) % 100, device.humidity / 10,
      device.humidity % 10, device.pressure / 10, device.pressure % 10, device.voltage / 1'000, device.voltage % 1'000,
      device.percent, x / 1'000, x % 1'000, y / 1'000, y % 1'000, z / 1'000, z % 1'000, device.rssi);
  return {"site/a/dev/" + std::to_string(at) + "/telemetry",
          std::string(text.data(), static_cast<std::size_t>(length))};
}

}  // namespace packhorse::test
