#pragma once

#include <chrono>

#include "base/result.h"
#include "packhorsed/app.h"
#include "packhorsed/notify.h"

namespace packhorse::daemon {

enum class QueueStart {
  kOpened,
  kStopped,  // SIGTERM or SIGINT came first
};

// How soon a queue that could not be opened is tried again: doubled each time.
struct Pace {
  std::chrono::milliseconds first{1'000};
  std::chrono::milliseconds most{30'000};
};

// Opens the queue of `parts`. What can heal by itself ends nothing: while the disk takes no writes, or another process
// has the queue, it waits and tries again. The service manager is told at once that the daemon is up, and what it waits
// for: nobody is to start it again every few seconds, or to wait for its start. SIGHUP tries at once, with the
// configuration as it is by then; a wrong one is told and refused. An error: no later try gets on either.
Result<QueueStart> OpenQueueOrWait(App& app, Notifier& notifier, int signals, Pace pace = {});

}  // namespace packhorse::daemon
