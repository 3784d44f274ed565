#include "packhorsed/leaving.h"

#include <algorithm>
#include <utility>

#include "health/log.h"

namespace packhorse::daemon {
namespace {

void EndStopped(App& app) {
  std::erase_if(app.leaving_sources, [](const auto& unit) { return unit->source->Stopped(); });
  for (const auto& unit : app.sources) {
    if (unit->leaving && unit->source->Stopped()) {
      unit->source.reset();
      unit->leaving = false;
    }
  }
}

}  // namespace

void Leave(SourceUnit& unit, const Clock& clock) {
  if (unit.source && !unit.leaving) {
    unit.source->BeginStop();
    unit.leaving = true;
    unit.since = clock.Wall();
  }
}

void LeaveForGood(App& app, std::unique_ptr<SourceUnit> unit) {
  if (unit->source) {
    Leave(*unit, app.clock);
    app.leaving_sources.push_back(std::move(unit));
  }
}

bool IsLeaving(const App& app, const std::string& client_id) {
  const auto has_it = [&](const auto& unit) { return unit->leaving && unit->connected_as == client_id; };
  return std::any_of(app.leaving_sources.begin(), app.leaving_sources.end(), has_it) ||
         std::any_of(app.sources.begin(), app.sources.end(), has_it);
}

void HoldSources(App& app, const std::string& because) {
  if (because.empty()) {
    return;
  }
  for (const auto& unit : app.sources) {
    if (unit->source && !unit->leaving) {
      Leave(*unit, app.clock);
      health::Log(health::LogLevel::kWarning, "source_blocked", because, {{"source", unit->config.name}});
    }
    if (unit->error != because) {
      unit->error = because;
      unit->since = app.clock.Wall();
    }
  }
}

void FollowSources(App& app, bool held, MonoTime now) {
  EndStopped(app);
  for (const auto& unit : app.sources) {
    if (!held && !unit->source && now >= unit->retry_at && !IsLeaving(app, unit->config.client_id)) {
      StartSource(app, *unit, now);
    }
  }
}

std::string ReceivesNothing(const App& app) {
  for (const auto* units : {&app.sources, &app.leaving_sources, &app.old_sessions}) {
    for (const auto& unit : *units) {
      const ingest::SourceStatus status = unit->source ? unit->source->Snapshot() : ingest::SourceStatus();
      if (status.receives_nothing) {
        return "source '" + status.name + "': " + status.reason;
      }
    }
  }
  return "";
}

}  // namespace packhorse::daemon
