#pragma once

#include "packhorsed/wiring.h"

namespace packhorse::daemon {

// Logs and raises what the state in which the queue was found means for what it holds. Once, at the start.
void ReportStart(Parts& parts);

}  // namespace packhorse::daemon
