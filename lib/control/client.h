#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/result.h"
#include "control/control.h"

namespace packhorse::control {

// Connect() with the longest wait for an answer as argument.
Result<std::unique_ptr<Client>> ConnectWithin(const std::string& path, std::chrono::milliseconds timeout);

}  // namespace packhorse::control
