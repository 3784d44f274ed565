#pragma once

#include <vector>

#include "config/config.h"
#include "queue/values/options.h"

namespace packhorse::bridge {

// What the configuration says of the queue.
queue::Limits QueueLimits(const config::Queue& config);
std::vector<queue::StreamOptions> QueueStreams(const config::Config& config);
std::vector<queue::DestinationOptions> QueueDestinations(const config::Config& config);
// The rest is as queue::Options has it.
queue::Options QueueOptions(const config::Config& config);

}  // namespace packhorse::bridge
