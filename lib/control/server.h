#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "control/control.h"
#include "control/protocol.h"

namespace packhorse::control {

// The bounds that control.h states; only tests use others.
struct Limits {
  std::size_t connections = 16;
  std::size_t reserved = 4;  // of them, for those who may change things
  std::size_t request_bytes = kRequestBytes;
  std::size_t unsent_bytes = kUnsentBytes;
  std::size_t follower_bytes = 1U << 20U;     // unsent, of a connection that follows
  std::size_t all_unsent_bytes = 32U << 20U;  // of all connections
  std::chrono::milliseconds idle{30'000};
};

// Listen() with bounds and clock as arguments. `clock` outlives the server.
Result<std::unique_ptr<Server>> ListenWithin(const std::string& path, std::function<Answer(const Call&)> handler,
                                             const Limits& limits, const Clock& clock);

}  // namespace packhorse::control
