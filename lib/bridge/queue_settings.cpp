#include "bridge/queue_settings.h"

#include "monitor/gaps.h"

namespace packhorse::bridge {

queue::Limits QueueLimits(const config::Queue& config) {
  queue::Limits limits;
  limits.max_bytes = config.max_bytes;
  limits.max_messages = config.max_records;
  limits.max_age = config.max_age;
  limits.overflow = config.overflow;
  return limits;
}

std::vector<queue::StreamOptions> QueueStreams(const config::Config& config) {
  std::vector<queue::StreamOptions> streams;
  for (const config::Stream& stream : config.streams) {
    const bool moves = stream.device_rate && stream.device_rate->over == config::DeviceRate::Over::kBulk;
    streams.push_back({stream.name,
                       stream.lane,
                       stream.destinations,
                       stream.retain_delivered,
                       moves,
                       {stream.contract, stream.topics, stream.retained == RetainedPolicy::kState}});
  }
  for (const config::Destination& destination : config.destinations) {
    streams.push_back({monitor::GapStream(destination.name), Lane::kUrgent, {destination.name}, {}, false, {}});
  }
  return streams;
}

std::vector<queue::DestinationOptions> QueueDestinations(const config::Config& config) {
  std::vector<queue::DestinationOptions> destinations;
  for (const config::Destination& destination : config.destinations) {
    destinations.emplace_back(destination.name,
                              destination.start == "oldest" ? queue::StartAt::kOldest : queue::StartAt::kNow);
  }
  return destinations;
}

queue::Options QueueOptions(const config::Config& config) {
  queue::Options options;
  options.path = config.queue.path;
  options.runtime_dir = config.queue.runtime_dir;
  options.strict = config.queue.durability == config::Durability::kStrict;
  options.window = config.queue.window;
  options.clock_wait = config.queue.clock_wait;
  options.limits = QueueLimits(config.queue);
  options.streams = QueueStreams(config);
  options.destinations = QueueDestinations(config);
  return options;
}

}  // namespace packhorse::bridge
