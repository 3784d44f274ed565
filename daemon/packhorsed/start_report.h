#pragma once

#include "packhorsed/app.h"

namespace packhorse::daemon {

// Logs and raises what the state in which the queue was found means for what it holds. Once, at the start.
void ReportStart(App& app);

}  // namespace packhorse::daemon
