#include "packhorsed/sending_file.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/file.h"
#include "common/json_parts.h"
#include "health/log.h"

namespace packhorse::daemon {
namespace {

using delivery::Kept;
using LearntKept = batch::LearntSize::Kept;

constexpr std::size_t kMaxSendingFileBytes = 1U << 20U;
constexpr unsigned kSendingFileMode = 0600;
constexpr std::chrono::minutes kSoonest{1};
constexpr std::chrono::minutes kLatest{10};
constexpr std::uint64_t kShareWorthWriting = 100;

std::string SendingFilePath(const App& app) { return app.config.queue.path + ".sending"; }

// Its window ends by the clock: time goes by until the next run.
Json ToJson(const limit::Announcement& limit, WallTime wall) {
  Json json = {{"name", limit.name}, {"unit", limit::Name(limit.unit)}};
  if (limit.at_once) {
    json["at_once"] = true;
  }
  if (limit.count) {
    json["count"] = *limit.count;
  }
  if (limit.per) {
    json["per_ms"] = limit.per->count();
  }
  if (limit.left && limit.resets) {
    json["left"] = *limit.left;
    json["resets_at_us"] = (wall + *limit.resets).time_since_epoch().count();
  }
  return json;
}

limit::Announcement AnnouncementFrom(const Json& json, WallTime wall) {
  using Unit = limit::Window::Unit;
  limit::Announcement limit;
  limit.name = json.at("name").get<std::string>();
  limit.unit = json.at("unit").get<std::string>() == limit::Name(Unit::kBytes) ? Unit::kBytes : Unit::kRequests;
  limit.at_once = json.value("at_once", false);
  if (json.contains("count")) {
    limit.count = json.at("count").get<std::uint64_t>();
  }
  if (json.contains("per_ms")) {
    limit.per = std::chrono::milliseconds(json.at("per_ms").get<std::int64_t>());
  }
  if (json.contains("left")) {
    limit.left = json.at("left").get<std::uint64_t>();
    const WallTime resets_at{std::chrono::microseconds(json.at("resets_at_us").get<std::int64_t>())};
    limit.resets = std::chrono::ceil<std::chrono::milliseconds>(resets_at - wall);
  }
  return limit;
}

// Whether what the API announces is another one: not what is left of it now.
bool SameLimits(const std::vector<limit::Announcement>& one, const std::vector<limit::Announcement>& other) {
  return std::equal(one.begin(), one.end(), other.begin(), other.end(),
                    [](const limit::Announcement& a, const limit::Announcement& b) {
                      return a.name == b.name && a.unit == b.unit && a.count == b.count && a.per == b.per &&
                             a.at_once == b.at_once;
                    });
}

std::map<std::string, Kept> ToKeep(const App& app) {
  std::map<std::string, Kept> all;
  for (const bridge::DestinationUnit& unit : app.destinations->units()) {
    if (const Kept kept = unit.destination->ToKeep(); kept != Kept{}) {
      all.emplace(unit.config.name, kept);
    }
  }
  return all;
}

Json ToJson(const LearntKept& learnt) { return {{"limit", learnt.limit}, {"too_much", learnt.too_much}}; }

Json ToJson(const delivery::Rollout::Kept& rollout) {
  return {
      {"present", rollout.present},        {"newer", rollout.newer},          {"state", delivery::Name(rollout.state)},
      {"percent", rollout.percent},        {"held_ms", rollout.held.count()}, {"requests", rollout.counts.requests},
      {"records", rollout.counts.records}, {"faulty", rollout.counts.faulty}, {"faults", rollout.counts.faults},
      {"reason", rollout.reason}};
}

Json ToJson(const std::string& name, const Kept& kept, WallTime wall) {
  Json json = {{"name", name}, {"records", ToJson(kept.records)}, {"bytes", ToJson(kept.bytes)}};
  json["requests_per_second"] = kept.pacing.rate.per_second;
  json["host"] = kept.host;
  json["refused_above"] = kept.in_flight.refused_above;
  for (const limit::Announcement& limit : kept.pacing.announced) {
    json["announced"].push_back(ToJson(limit, wall));
  }
  if (const auto& budget = kept.pacing.budget) {
    json["budget"] = {{"begin_us", budget->begin.time_since_epoch().count()}, {"used", budget->used}};
  }
  if (kept.rollout) {
    json["rollout"] = ToJson(*kept.rollout);
  }
  return json;
}

delivery::Rollout::Kept RolloutFrom(const Json& json) {
  using State = delivery::Rollout::State;
  delivery::Rollout::Kept rollout;
  rollout.present = json.at("present").get<std::string>();
  rollout.newer = json.at("newer").get<std::string>();
  // Whatever it says: the present contract is the safe one.
  rollout.state = delivery::ParseRolloutState(json.at("state").get<std::string>()).value_or(State::kRolledBack);
  rollout.percent = json.at("percent").get<std::uint32_t>();
  rollout.held = std::chrono::milliseconds(json.at("held_ms").get<std::int64_t>());
  rollout.counts = {json.at("requests").get<std::uint64_t>(), json.at("records").get<std::uint64_t>(),
                    json.at("faulty").get<std::uint64_t>(), json.at("faults").get<double>()};
  rollout.reason = json.at("reason").get<std::string>();
  return rollout;
}

// Where it stands decides by which contract a device is sent: worth to be kept at once.
bool Moved(const std::optional<delivery::Rollout::Kept>& before, const std::optional<delivery::Rollout::Kept>& now) {
  return before.has_value() != now.has_value() ||
         (now && (before->state != now->state || before->percent != now->percent || before->newer != now->newer));
}

LearntKept LearntFrom(const Json& json) {
  return {json.at("limit").get<std::uint64_t>(), json.at("too_much").get<std::uint64_t>()};
}

Result<std::map<std::string, Kept>> Read(const std::string& path, WallTime wall) {
  const Result<std::string> text = ReadFile(path, kMaxSendingFileBytes);
  RETURN_IF_ERROR(text);
  try {
    std::map<std::string, Kept> all;
    const Json json = Json::parse(*text);
    for (const Json& each : json.at("destinations")) {
      Kept& kept = all[each.at("name").get<std::string>()];
      kept.records = LearntFrom(each.at("records"));
      kept.bytes = LearntFrom(each.at("bytes"));
      kept.pacing.rate.per_second = each.value("requests_per_second", 0.0);
      kept.host = each.value("host", "");
      kept.in_flight.refused_above = each.value("refused_above", 0U);
      for (const Json& limit : each.value("announced", Json::array())) {
        kept.pacing.announced.push_back(AnnouncementFrom(limit, wall));
      }
      if (each.contains("rollout")) {
        kept.rollout = RolloutFrom(each.at("rollout"));
      }
      if (each.contains("budget")) {
        const Json& budget = each.at("budget");
        kept.pacing.budget = {WallTime(std::chrono::microseconds(budget.at("begin_us").get<std::int64_t>())),
                              budget.at("used").get<std::uint64_t>()};
      }
    }
    return all;
  } catch (const Json::exception& failure) {
    return Error{ErrorCode::kCorrupt, path + ": " + failure.what()};
  }
}

}  // namespace

void RestoreSending(App& app) {
  const std::string path = SendingFilePath(app);
  if (!Exists(path)) {
    return;
  }
  const Result<std::map<std::string, Kept>> all = Read(path, app.clock.Wall());
  if (!all) {
    health::Log(health::LogLevel::kWarning, "sending_forgotten",
                "what was used of the budgets and learnt of batch sizes and rates is not known any more: " +
                    all.error().message);
    return;
  }
  for (const auto& [name, kept] : *all) {
    if (bridge::DestinationUnit* unit = app.destinations->Find(name)) {
      unit->destination->Restore(kept);
    }
  }
}

SendingFile::SendingFile(App& app) : app_(app), written_(ToKeep(app)), written_at_(app.clock.Mono()) {}

bool SendingFile::WorthWriting(const All& all) const {
  for (const auto& [name, kept] : all) {
    const auto before = written_.find(name);
    const delivery::Pacing::Kept known = before == written_.end() ? delivery::Pacing::Kept{} : before->second.pacing;
    if (kept.pacing.rate != known.rate || !SameLimits(kept.pacing.announced, known.announced)) {
      return true;  // seldom
    }
    const bridge::DestinationUnit* unit = app_.destinations->Find(name);
    const auto& budget = kept.pacing.budget;
    if (!budget || unit == nullptr || !unit->config.budget) {
      continue;
    }
    if (!known.budget || known.budget->begin != budget->begin ||
        budget->used - known.budget->used >= unit->config.budget->bytes / kShareWorthWriting) {
      return true;
    }
  }
  return false;
}

bool SendingFile::RolloutMoved(const All& all) const {
  const auto rollout_of = [](const All& of, const std::string& name) {
    const auto found = of.find(name);
    return found == of.end() ? std::nullopt : found->second.rollout;
  };
  return std::any_of(all.begin(), all.end(),
                     [&](const auto& each) { return Moved(rollout_of(written_, each.first), each.second.rollout); });
}

void SendingFile::Look(MonoTime now, bool last) {
  const MonoTime::duration since = now - written_at_;
  All all = ToKeep(app_);
  last = last || RolloutMoved(all);
  if (!last && since < kSoonest) {
    return;
  }
  if (all == written_ || (!last && since < kLatest && !WorthWriting(all))) {
    return;
  }
  Json destinations = Json::array();
  for (const auto& [name, kept] : all) {
    destinations.push_back(ToJson(name, kept, app_.clock.Wall()));
  }
  const Status written =
      WriteFileAtomically(SendingFilePath(app_), Dump({{"destinations", std::move(destinations)}}), kSendingFileMode);
  if (!written && !std::exchange(refused_, true)) {
    health::Log(health::LogLevel::kWarning, "sending_not_kept",
                "a restart will forget what was used of the budgets: " + written.error().message);
  }
  written_ = std::move(all);
  written_at_ = now;
}

}  // namespace packhorse::daemon
