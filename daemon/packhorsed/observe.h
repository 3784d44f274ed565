#pragma once

#include "base/clock.h"
#include "monitor/watch.h"
#include "packhorsed/app.h"

namespace packhorse::daemon {

// How everything is now, but for the present ledger, which costs a query; that of the start is in it.
monitor::Condition Observe(const App& app, MonoTime now);

}  // namespace packhorse::daemon
