#pragma once

#include <optional>
#include <string>

#include "base/result.h"

namespace packhorse::queue {

// What would keep a daemon from opening its queue, as far as that shows from outside.
struct StartObstacle {
  Error error;
  // It goes away without anything being done about the queue or its configuration: the daemon waits for that.
  bool heals = false;
};

// Of the queue that `name` leads to, for a look while no daemon has it. Changes nothing and keeps no lock.
std::optional<StartObstacle> FindStartObstacle(const std::string& name, const std::string& runtime_dir);

// Whether no later try to open a queue gets on either where one has failed with this error: with the queue of a newer
// release, or a file that is none.
bool IsLasting(const Error& error);

}  // namespace packhorse::queue
