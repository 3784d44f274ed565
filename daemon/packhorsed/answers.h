#pragma once

#include <string>
#include <vector>

#include "bridge/long_calls.h"
#include "bridge/quarantine_retry.h"
#include "bridge/redrive.h"
#include "bridge/reload.h"
#include "health/metrics.h"
#include "monitor/watch.h"
#include "packhorsed/app.h"
#include "queue/queue.h"
#include "queue/values/ledger.h"

namespace packhorse::daemon {

// JSON texts of the control answers (public surface: members are added, never renamed). Times are RFC 3339 UTC, or null
// where there is none; durations end in _ms, sizes in bytes. What the queue says of itself: common/queue_json.h.

std::string StatusJson(const App& app, const monitor::Condition& condition, const queue::Ledger& ledger);
std::string QueueStatsJson(const App& app, const monitor::Condition& condition);
std::string EventsJson(const App& app);
std::string VersionJson(const App& app);
std::string ReloadJson(const bridge::ReloadReport& report);
std::string FlushJson(const bridge::FlushOutcome& outcome);
std::string RedriveJson(const bridge::RedriveReport& report);
std::string RetryJson(const bridge::RetryReport& report);

}  // namespace packhorse::daemon
