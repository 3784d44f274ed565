#include "packhorsed/event_file.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "base/file.h"
#include "common/json_parts.h"
#include "health/log.h"

namespace packhorse::daemon {
namespace {

using health::KeptEvent;

constexpr std::size_t kMaxEventFileBytes = 1U << 20U;
constexpr unsigned kEventFileMode = 0600;
// A condition that was acknowledged is raised again by then, if it still is so; later it is another one.
constexpr std::chrono::minutes kAcknowledgedBefore{10};
constexpr std::chrono::minutes kWrittenAgain{1};  // for how long nothing has happened

std::string EventFilePath(const App& app) { return app.config.queue.runtime_dir + "/events"; }

std::int64_t Micros(WallTime time) { return time.time_since_epoch().count(); }
WallTime Wall(const Json& json) { return WallTime(std::chrono::microseconds(json.get<std::int64_t>())); }

// Times as the clock goes now: the next run knows nothing of how it went in this one.
Json ToJson(const KeptEvent& kept, const WallHistory& history) {
  Json json = {{"name", kept.name},       {"subject", kept.subject},
               {"message", kept.message}, {"since_us", Micros(history.Corrected(kept.since))},
               {"count", kept.count},     {"quiet_for_s", kept.quiet_for.count()}};
  if (kept.acknowledged_at) {
    json["acknowledged_at_us"] = Micros(history.Corrected(*kept.acknowledged_at));
  }
  return json;
}

KeptEvent FromJson(const Json& json) {
  KeptEvent kept;
  kept.name = json.at("name").get<std::string>();
  kept.subject = json.at("subject").get<std::string>();
  kept.message = json.at("message").get<std::string>();
  kept.since = Wall(json.at("since_us"));
  kept.count = json.at("count").get<std::uint64_t>();
  kept.quiet_for = std::chrono::seconds(json.at("quiet_for_s").get<std::int64_t>());
  if (json.contains("acknowledged_at_us")) {
    kept.acknowledged_at = Wall(json.at("acknowledged_at_us"));
  }
  return kept;
}

Result<std::vector<KeptEvent>> Read(const std::string& path) {
  const Result<std::string> text = ReadFile(path, kMaxEventFileBytes);
  RETURN_IF_ERROR(text);
  try {
    std::vector<KeptEvent> all;
    const Json json = Json::parse(*text);
    for (const Json& each : json.at("events")) {
      all.push_back(FromJson(each));
    }
    return all;
  } catch (const Json::exception& failure) {
    return Error{ErrorCode::kCorrupt, path + ": " + failure.what()};
  }
}

}  // namespace

void RestoreEvents(App& app) {
  const std::string path = EventFilePath(app);
  if (!Exists(path)) {
    return;
  }
  Result<std::vector<KeptEvent>> all = Read(path);
  if (!all) {
    health::Log(health::LogLevel::kWarning, "events_forgotten",
                "the events of before this start are not known any more: " + all.error().message);
    return;
  }
  std::reverse(all->begin(), all->end());  // oldest first, as they were raised
  for (const KeptEvent& kept : *all) {
    app.events.Restore(kept, app.clock.Mono());
  }
  health::Log(health::LogLevel::kInfo, "events_kept", "events and acknowledgements of before this start",
              {{"count", std::to_string(all->size())}});
}

EventFile::EventFile(App& app) : app_(app), tmpfs_(OnTmpfs(app.config.queue.runtime_dir)), started_(app.clock.Mono()) {}

void EventFile::Look(MonoTime now, bool last) {
  if (now - started_ >= kAcknowledgedBefore) {
    app_.events.ForgetAcknowledgements();
  }
  const bool changed = written_ != app_.events.revision() || now - written_at_ >= kWrittenAgain;
  if (!last && (!tmpfs_ || !changed)) {
    return;
  }
  Json events = Json::array();
  for (const KeptEvent& kept : app_.events.ToKeep(now)) {
    events.push_back(ToJson(kept, app_.wall_history));
  }
  const std::string text = Dump({{"events", std::move(events)}});
  const Status written = WriteFileAtomically(EventFilePath(app_), text, kEventFileMode);
  if (!written && !std::exchange(refused_, true)) {
    health::Log(health::LogLevel::kWarning, "events_not_kept",
                "a restart will forget which events are open: " + written.error().message);
  }
  written_ = app_.events.revision();
  written_at_ = now;
}

}  // namespace packhorse::daemon
