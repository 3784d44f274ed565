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
  std::size_t request_bytes = kRequestBytes;
  std::size_t unsent_bytes = kUnsentBytes;
  std::chrono::milliseconds idle{30'000};
};

// Listen() with bounds and clock as arguments. `clock` outlives the server.
Result<std::unique_ptr<Server>> ListenWithin(const std::string& path, std::function<Answer(const Call&)> handler,
                                             const Limits& limits, const Clock& clock);

}  // namespace packhorse::control
