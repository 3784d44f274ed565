#pragma once

#include <string>

#include "config/config.h"

namespace packhorse::daemon {

// Adds to the problems what the configuration cannot tell of itself and what would end the daemon at its start: what is
// in the secrets, the folders of the queue and of the control socket. As the user that this process has. REQUIRES:
// loaded.ok().
void CheckStart(const std::string& file, config::Loaded& loaded);

// Likewise what would keep the daemon from opening its queue, for a check before it starts: an error where somebody has
// to do something, a warning where the daemon waits until it is over. Nothing where the daemon answers: it has it open.
void CheckQueue(const std::string& file, config::Loaded& loaded);

}  // namespace packhorse::daemon
