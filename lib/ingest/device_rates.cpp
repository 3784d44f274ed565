#include "ingest/device_rates.h"

#include <algorithm>

namespace packhorse::ingest {

DeviceRates::Device& DeviceRates::Find(StreamId stream, std::string_view device, MonoTime now) {
  const Fingerprint print = FingerprintOf(std::to_string(stream) + "/" + std::string(device));
  if (const auto found = index_.find(print); found != index_.end()) {
    devices_.splice(devices_.begin(), devices_, found->second);
    return devices_.front();
  }
  if (devices_.size() >= kMaxDevices) {
    index_.erase(devices_.back().print);
    devices_.pop_back();
  }
  devices_.push_front(Device{print, now, now});
  index_.emplace(print, devices_.begin());
  return devices_.front();
}

Pace DeviceRates::Next(StreamId stream, std::string_view device, const DeviceRate& rate, MonoTime now) {
  const auto per = std::chrono::nanoseconds(rate.per);
  const auto interval = per / static_cast<std::int64_t>(std::max<std::uint64_t>(rate.messages, 1));
  Device& known = Find(stream, device, now);
  const MonoTime due = std::max(known.due, now);
  if (due - now > per - interval) {
    known.noisy_until = now + per;
    Note(stream, device, rate.drops);
    return Pace::kOver;
  }
  known.due = due + interval;
  return now < known.noisy_until ? Pace::kStillNoisy : Pace::kWithin;
}

void DeviceRates::Note(StreamId stream, std::string_view device, bool dropped) {
  std::pair key(stream, std::string(device));
  if (noisy_.size() >= kMaxNoisy && !noisy_.contains(key)) {
    key.second.clear();
  }
  NoisyDevice& noisy = noisy_.try_emplace(key, NoisyDevice{stream, key.second}).first->second;
  ++noisy.messages;
  noisy.dropped += dropped ? 1 : 0;
}

std::vector<NoisyDevice> DeviceRates::TakeNoisy() {
  std::vector<NoisyDevice> noisy;
  for (auto& each : std::exchange(noisy_, {})) {
    noisy.push_back(std::move(each.second));
  }
  return noisy;
}

}  // namespace packhorse::ingest
