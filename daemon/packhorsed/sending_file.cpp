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

constexpr std::size_t kMaxFileBytes = 1U << 20U;
constexpr unsigned kMode = 0600;
constexpr std::chrono::minutes kSoonest{1};
constexpr std::chrono::minutes kLatest{10};
constexpr std::uint64_t kShareWorthWriting = 100;

std::string PathOf(const App& app) { return app.config.queue.path + ".sending"; }

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

Json ToJson(const std::string& name, const Kept& kept) {
  Json json = {{"name", name}, {"records", ToJson(kept.records)}, {"bytes", ToJson(kept.bytes)}};
  json["requests_per_second"] = kept.rate.per_second;
  json["refused_above"] = kept.in_flight.refused_above;
  if (kept.budget) {
    json["budget"] = {{"begin_us", kept.budget->begin.time_since_epoch().count()}, {"used", kept.budget->used}};
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

Result<std::map<std::string, Kept>> Read(const std::string& path) {
  const Result<std::string> text = ReadFile(path, kMaxFileBytes);
  RETURN_IF_ERROR(text);
  try {
    std::map<std::string, Kept> all;
    const Json json = Json::parse(*text);
    for (const Json& each : json.at("destinations")) {
      Kept& kept = all[each.at("name").get<std::string>()];
      kept.records = LearntFrom(each.at("records"));
      kept.bytes = LearntFrom(each.at("bytes"));
      kept.rate.per_second = each.value("requests_per_second", 0.0);
      kept.in_flight.refused_above = each.value("refused_above", 0U);
      if (each.contains("rollout")) {
        kept.rollout = RolloutFrom(each.at("rollout"));
      }
      if (each.contains("budget")) {
        const Json& budget = each.at("budget");
        kept.budget = {WallTime(std::chrono::microseconds(budget.at("begin_us").get<std::int64_t>())),
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
  const std::string path = PathOf(app);
  if (!Exists(path)) {
    return;
  }
  const Result<std::map<std::string, Kept>> all = Read(path);
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
    if (kept.rate != (before == written_.end() ? limit::LearntRate::Kept{} : before->second.rate)) {
      return true;  // seldom
    }
    const bridge::DestinationUnit* unit = app_.destinations->Find(name);
    if (!kept.budget || unit == nullptr || !unit->config.budget) {
      continue;
    }
    if (before == written_.end() || !before->second.budget || before->second.budget->begin != kept.budget->begin ||
        kept.budget->used - before->second.budget->used >= unit->config.budget->bytes / kShareWorthWriting) {
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
    destinations.push_back(ToJson(name, kept));
  }
  const Status written = WriteFileAtomically(PathOf(app_), Dump({{"destinations", std::move(destinations)}}), kMode);
  if (!written && !std::exchange(refused_, true)) {
    health::Log(health::LogLevel::kWarning, "sending_not_kept",
                "a restart will forget what was used of the budgets: " + written.error().message);
  }
  written_ = std::move(all);
  written_at_ = now;
}

}  // namespace packhorse::daemon
