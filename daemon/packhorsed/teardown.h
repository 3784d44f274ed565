#pragma once

namespace packhorse::daemon {

// Everything is safe and said: the process ends with this exit code after so many seconds, whatever the destructors are
// still waiting for. The code stays what the run came to, so that the service manager starts the daemon again where it
// ended because of damage. Once, at the end.
void EndWithin(unsigned seconds, int exit_code);

}  // namespace packhorse::daemon
