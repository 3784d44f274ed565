#pragma once

#include <string>

namespace packhorse::daemon {

// What the queue is bound to: a keyed hash of the machine id, as machine-id(5) asks for it, 32 hex digits. Empty when
// the machine has no id (yet): then nothing is bound.
std::string MachineFingerprint(const std::string& file);

}  // namespace packhorse::daemon
