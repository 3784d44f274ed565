#include "bridge/leaving.h"

#include <algorithm>
#include <utility>

#include "health/log.h"

namespace packhorse::bridge {
namespace {

void EndStopped(Sources& sources) {
  std::erase_if(sources.leaving(), [](const auto& unit) { return unit->source->Stopped(); });
  for (const auto& unit : sources.units()) {
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

void LeaveForGood(Sources& sources, std::unique_ptr<SourceUnit> unit) {
  if (unit->source) {
    Leave(*unit, sources.clock());
    sources.leaving().push_back(std::move(unit));
  }
}

bool IsLeaving(const Sources& sources, const std::string& client_id) {
  const auto has_it = [&](const auto& unit) { return unit->leaving && unit->connected_as == client_id; };
  return std::any_of(sources.leaving().begin(), sources.leaving().end(), has_it) ||
         std::any_of(sources.units().begin(), sources.units().end(), has_it);
}

void BlockSources(Sources& sources, const std::string& because) {
  if (because.empty()) {
    return;
  }
  for (const auto& unit : sources.units()) {
    if (unit->source && !unit->leaving) {
      Leave(*unit, sources.clock());
      health::Log(health::LogLevel::kWarning, "source_blocked", because, {{"source", unit->config.name}});
    }
    if (unit->error != because) {
      unit->error = because;
      unit->since = sources.clock().Wall();
    }
  }
}

void FollowSources(Sources& sources, bool held, MonoTime now) {
  EndStopped(sources);
  for (const auto& unit : sources.units()) {
    if (!held && !unit->source && now >= unit->retry_at && !IsLeaving(sources, unit->config.client_id)) {
      sources.Start(*unit, now);
    }
  }
}

std::string ReceivesNothing(const Sources& sources) {
  for (const auto* units : {&sources.units(), &sources.leaving(), &sources.old_sessions()}) {
    for (const auto& unit : *units) {
      const ingest::SourceStatus status = unit->source ? unit->source->Snapshot() : ingest::SourceStatus();
      if (status.receives_nothing) {
        return "source '" + status.name + "': " + status.reason;
      }
    }
  }
  return "";
}

}  // namespace packhorse::bridge
