#include "packhorsed/leaving.h"

#include <algorithm>
#include <utility>

namespace packhorse::daemon {
namespace {

void EndStopped(Parts& parts) {
  std::erase_if(parts.leaving_sources, [](const auto& unit) { return unit->source->Stopped(); });
  for (const auto& unit : parts.sources) {
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

void LeaveForGood(Parts& parts, std::unique_ptr<SourceUnit> unit) {
  if (unit->source) {
    Leave(*unit, parts.clock);
    parts.leaving_sources.push_back(std::move(unit));
  }
}

bool IsLeaving(const Parts& parts, const std::string& client_id) {
  const auto has_it = [&](const auto& unit) { return unit->leaving && unit->connected_as == client_id; };
  return std::any_of(parts.leaving_sources.begin(), parts.leaving_sources.end(), has_it) ||
         std::any_of(parts.sources.begin(), parts.sources.end(), has_it);
}

void FollowSources(Parts& parts, bool held, MonoTime now) {
  EndStopped(parts);
  for (const auto& unit : parts.sources) {
    if (!held && !unit->source && now >= unit->retry_at && !IsLeaving(parts, unit->config.client_id)) {
      StartSource(parts, *unit, now);
    }
  }
}

std::string ReceivesNothing(const Parts& parts) {
  for (const auto* units : {&parts.sources, &parts.leaving_sources, &parts.old_sessions}) {
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
