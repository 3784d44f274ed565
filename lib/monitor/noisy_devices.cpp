#include "monitor/noisy_devices.h"

#include <algorithm>
#include <chrono>

#include "base/units.h"

namespace packhorse::monitor {
namespace {

// After this long without another message over the rate the event is over.
constexpr std::chrono::seconds kQuietDevice{60};
constexpr health::EventName kEvent = "device_noisy";

const config::Stream* FindStream(const config::Config& config, const std::string& name) {
  const auto found = std::find_if(config.streams.begin(), config.streams.end(),
                                  [&](const config::Stream& stream) { return stream.name == name; });
  return found == config.streams.end() ? nullptr : &*found;
}

std::string Subject(const std::string& stream, const std::string& device) {
  return device.empty() ? stream : stream + "/" + device;
}

std::string RateText(const config::Stream* stream) {
  if (stream == nullptr || !stream->device_rate) {
    return "its rate";
  }
  return "its rate of " + std::to_string(stream->device_rate->messages) + " in " +
         FormatDuration(stream->device_rate->per);
}

}  // namespace

void NoisyDevices::Note(const std::string& stream, const ingest::NoisyDevice& noisy, MonoTime now) {
  Key key(stream, noisy.device);
  if (noise_.size() >= kMaxDevices && !noise_.contains(key)) {
    key.second.clear();
  }
  Noise& noise = noise_[key];
  noise.messages += noisy.messages;
  noise.dropped += noisy.dropped;
  noise.last = now;
  const std::string who = key.second.empty() ? "further devices of stream '" + stream + "'"
                                             : "device '" + key.second + "' of stream '" + stream + "'";
  std::string message = who + ": " + std::to_string(noise.messages) +
                        (noise.messages == 1 ? " message over " : " messages over ") +
                        RateText(FindStream(config_, stream)) + " so far, ";
  message += noise.dropped == 0 ? "sent in lane bulk" : std::to_string(noise.dropped) + " of them dropped";
  events_.Raise(kEvent, Subject(key.first, key.second), std::move(message), clock_.Wall());
  TellClouds(stream, noisy.dropped, now);
}

void NoisyDevices::TellClouds(const std::string& stream, std::uint64_t dropped, MonoTime now) {
  const config::Stream* configured = FindStream(config_, stream);
  if (dropped == 0 || configured == nullptr) {
    return;
  }
  for (const std::string& destination : configured->destinations) {
    queue::GivenUp given_up;
    given_up.reason = ingest::kOverDeviceRate;
    given_up.destination = destination;
    given_up.lane = configured->lane;
    given_up.messages = dropped;
    gaps_.Add(given_up, now);
  }
}

void NoisyDevices::EndQuiet(MonoTime now) {
  std::erase_if(noise_, [&](const auto& each) {
    const bool over = now - each.second.last >= kQuietDevice;
    if (over) {
      events_.Resolve(kEvent, Subject(each.first.first, each.first.second), clock_.Wall());
    }
    return over;
  });
}

}  // namespace packhorse::monitor
