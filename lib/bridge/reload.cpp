#include "bridge/reload.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "base/units.h"
#include "bridge/leaving.h"
#include "bridge/old_sessions.h"
#include "bridge/queue_settings.h"
#include "bridge/refused_contracts.h"
#include "contract/cloud_library.h"
#include "document/problems.h"
#include "health/log.h"

namespace packhorse::bridge {
namespace {

constexpr health::EventName kRefusedEvent = "config_reload_refused";
// Subjects of that event.
constexpr const char* kOfConfiguration = "";
constexpr const char* kOfTables = "tables";
// What an iteration of the loop counts of the queue: some milliseconds on a small board.
constexpr std::uint64_t kCountBytes = 256ULL << 10U;
constexpr std::chrono::milliseconds kLookWhetherCounted{20};  // how often it looks whether it can go on

template <typename List>
auto FindNamed(List& list, const std::string& name) {
  return std::find_if(list.begin(), list.end(), [&](const auto& entry) { return entry.name == name; });
}

std::vector<std::string> Lines(const std::vector<document::Problem>& problems) {
  std::vector<std::string> lines;
  for (const document::Problem& problem : problems) {
    lines.push_back(document::Describe(problem));
  }
  return lines;
}

// What is told as the mistake that it is needs no warning beside it. REQUIRES: there is no error.
std::vector<document::Problem> WithoutRefused(const config::Loaded& loaded) {
  std::set<std::string> files;
  for (const document::Problem& problem : loaded.refused) {
    files.insert(problem.file);
  }
  std::vector<document::Problem> problems = loaded.problems;
  std::erase_if(problems, [&](const document::Problem& problem) { return files.contains(problem.file); });
  return problems;
}

// By file, as their mistakes come.
std::vector<RefusedReport> RefusedOf(const std::vector<document::Problem>& mistakes,
                                     const contract::CloudLibrary& contracts) {
  std::vector<RefusedReport> reports;
  std::string file;
  for (const document::Problem& mistake : mistakes) {
    if (reports.empty() || mistake.file != file) {
      file = mistake.file;
      const auto known = std::find_if(contracts.broken().begin(), contracts.broken().end(),
                                      [&](const contract::RefusedFile& broken) { return broken.file == file; });
      const bool found = known != contracts.broken().end();
      reports.push_back({found ? known->name : file, found && known->kept, {}});
    }
    reports.back().mistakes.push_back(document::Describe(mistake));
  }
  return reports;
}

// A pause that was ordered before a rebuild goes on for what is left of it.
void TakeOverPause(const DestinationUnit& old, DestinationUnit& successor, MonoTime now) {
  if (!old.paused || (old.paused_until && *old.paused_until <= now)) {
    return;
  }
  std::optional<std::chrono::milliseconds> left;
  if (old.paused_until) {
    left = std::chrono::ceil<std::chrono::milliseconds>(*old.paused_until - now);
  }
  successor.paused = true;
  successor.paused_until = old.paused_until;
  successor.paused_since = old.paused_since;
  successor.destination->Pause(left, now);
}

// What cannot change while the process runs keeps its value, and the operator is told.
void KeepUntilRestart(const config::Config& old, config::Config& next, std::vector<std::string>& warnings) {
  const auto keep = [&warnings](const char* path, const auto& before, auto& after, const auto& text) {
    if (before != after) {
      warnings.push_back(std::string(path) + ": " + text(after) +
                         " takes effect with the next restart; until then it stays " + text(before));
      after = before;
    }
  };
  const auto as_it_is = [](const std::string& value) { return value; };
  const auto duration = [](std::chrono::milliseconds value) { return FormatDuration(value); };
  const auto mode = [](config::Durability value) { return std::string(config::kDurabilityNames.Of(value)); };
  keep("/queue/path", old.queue.path, next.queue.path, as_it_is);
  keep("/queue/runtime_dir", old.queue.runtime_dir, next.queue.runtime_dir, as_it_is);
  keep("/queue/clock_wait", old.queue.clock_wait, next.queue.clock_wait, duration);
  keep("/queue/durability/mode", old.queue.durability, next.queue.durability, mode);
  keep("/queue/durability/window", old.queue.window, next.queue.window, duration);
  keep("/control/socket", old.control.socket, next.control.socket, as_it_is);
}

void NoteStreamChanges(const config::Config& old, const config::Config& next, std::vector<std::string>& changes) {
  for (const config::Stream& stream : next.streams) {
    const auto before = FindNamed(old.streams, stream.name);
    if (before == old.streams.end()) {
      changes.push_back("stream '" + stream.name + "' added");
    } else if (*before != stream) {
      changes.push_back("stream '" + stream.name + "' changed");
    }
  }
  for (const config::Stream& stream : old.streams) {
    if (FindNamed(next.streams, stream.name) == next.streams.end()) {
      changes.push_back("stream '" + stream.name + "' removed; what it received is still delivered");
    }
  }
}

void NoteContractChanges(const contract::CloudLibrary& old, const contract::CloudLibrary& next,
                         std::vector<std::string>& changes) {
  for (const contract::CloudLibrary::Entry& entry : next.entries()) {
    if (!next.SameIn(old, entry.name)) {
      changes.push_back("contract '" + entry.name + "' " + (old.Find(entry.name) == nullptr ? "added" : "changed"));
    }
  }
  for (const auto& [name, table] : next.tables()) {
    const auto before = old.tables().find(name);
    const bool known = before != old.tables().end() && before->second->refused.empty();
    if (table->refused.empty() && !(known && *before->second == *table)) {
      changes.push_back("table '" + name + "' " + (known ? "changed" : "added"));
    }
  }
  for (const contract::CloudLibrary::Entry& entry : old.entries()) {
    if (next.Find(entry.name) == nullptr) {
      changes.push_back("contract '" + entry.name + "' removed");
    }
  }
}

}  // namespace

struct Reloader::Next {
  config::Config config;
  std::string subject;
  Done done;
  std::vector<std::string> warnings;
  std::vector<std::string> changes;
  std::vector<RefusedReport> refused;
  std::map<std::string, std::unique_ptr<auth::Authorizer>> authorizers;  // of destinations that are new or changed
  std::set<std::string> leaving;                                         // running destinations that change or go
  std::vector<queue::StreamOptions> streams;
  std::vector<queue::DestinationOptions> destinations;
  bool counting = false;
  bool draining = false;  // those that leave
  std::shared_ptr<const contract::CloudLibrary> contracts;
  std::shared_ptr<const contract::CloudLibrary> old_contracts;
};

Reloader::Reloader(Bridge bridge, std::string file, Load load)
    : bridge_(bridge), file_(std::move(file)), load_(std::move(load)) {}
Reloader::~Reloader() = default;

void Reloader::Begin(Done done, MonoTime now) {
  const std::shared_ptr<const contract::CloudLibrary> contracts = contract::CloudContracts();
  config::Loaded loaded = load_(file_);
  // What was loaded comes into force with the rest.
  const std::shared_ptr<const contract::CloudLibrary> new_contracts = contract::CloudContracts();
  contract::UseCloudContracts(contracts);
  BeginWith(std::move(loaded), new_contracts, kOfConfiguration, std::move(done), now);
}

void Reloader::BeginTables(const std::string& folder, Done done, MonoTime now) {
  const std::shared_ptr<const contract::CloudLibrary> contracts = contract::CloudContracts();
  contract::CloudLibrary::Loaded tables = contracts->WithTables(folder);
  if (tables.library->SameTables(*contracts)) {
    bridge_.events.Resolve(kRefusedEvent, kOfTables, bridge_.clock.Wall());
    return;
  }
  config::Loaded loaded;
  loaded.config = bridge_.config;
  loaded.AddBeside(std::move(tables.problems), false);
  BeginWith(std::move(loaded), tables.library, kOfTables, std::move(done), now);
}

void Reloader::BeginWith(config::Loaded loaded, const std::shared_ptr<const contract::CloudLibrary>& new_contracts,
                         const std::string& subject, Done done, MonoTime now) {
  const std::shared_ptr<const contract::CloudLibrary> contracts = contract::CloudContracts();
  if (!loaded.ok()) {
    Refuse(Lines(loaded.problems), subject, done);
    return;
  }
  auto next = std::make_unique<Next>();
  next->refused = RefusedOf(loaded.refused, *new_contracts);
  next->warnings = Lines(WithoutRefused(loaded));
  next->config = std::move(loaded.config);
  next->subject = subject;
  next->contracts = new_contracts;
  next->old_contracts = contracts;
  KeepUntilRestart(bridge_.config, next->config, next->warnings);
  const bool same_gateway = bridge_.config.gateway == next->config.gateway;
  std::set<std::string> staying;
  for (const config::Destination& destination : next->config.destinations) {
    const auto before = FindNamed(bridge_.config.destinations, destination.name);
    if (same_gateway && before != bridge_.config.destinations.end() && *before == destination &&
        contracts->SameIn(*new_contracts, destination.contract, config::PlainSettings(destination)) &&
        (!destination.rollout ||
         contracts->SameIn(*new_contracts, destination.rollout->contract, config::PlainSettings(destination)))) {
      staying.insert(destination.name);
      continue;
    }
    auto authorizer = MakeAuthorizer(next->config.gateway, destination, *new_contracts);
    if (!authorizer) {
      Refuse({authorizer.error().message}, subject, done);
      return;
    }
    next->authorizers.emplace(destination.name, std::move(authorizer).value());
  }
  for (const DestinationUnit& unit : bridge_.destinations.units()) {
    if (!staying.contains(unit.config.name)) {
      next->leaving.insert(unit.config.name);
    }
  }
  next->streams = QueueStreams(next->config);
  next->destinations = QueueDestinations(next->config);
  next->done = std::move(done);
  next_ = std::move(next);
  Step(now);
}

void Reloader::Drain(Next& next) {
  next.draining = true;
  for (DestinationUnit& unit : bridge_.destinations.units()) {
    if (next.leaving.contains(unit.config.name)) {
      unit.destination->Drain();
    }
  }
}

// While destinations drain, what is stored meanwhile is counted too: little is left for the change itself.
MonoTime Reloader::Step(MonoTime now) {
  if (!next_) {
    return MonoTime::max();
  }
  const auto counted = bridge_.queue.CountAhead(next_->streams, next_->destinations, kCountBytes);
  if (!counted) {
    const std::unique_ptr<Next> next = std::move(next_);
    GiveUp(*next, counted.error().With("queue"), now);
    return now;
  }
  if (*counted != queue::Queue::Ahead::kDone) {
    if (!std::exchange(next_->counting, true)) {
      health::Log(health::LogLevel::kInfo, "config_reload_counts",
                  "counting what is stored for a destination that starts at the oldest; all goes on meanwhile");
    }
    return *counted == queue::Queue::Ahead::kMore ? now : now + kLookWhetherCounted;
  }
  if (!next_->draining) {
    Drain(*next_);
  }
  if (std::any_of(bridge_.destinations.units().begin(), bridge_.destinations.units().end(),
                  [&](const DestinationUnit& unit) {
                    return next_->leaving.contains(unit.config.name) && !unit.destination->idle();
                  })) {
    return now + kLookWhetherCounted;
  }
  const std::unique_ptr<Next> next = std::move(next_);
  if (Status applied = Apply(*next, now); applied) {
    Finish(*next);
  } else {
    GiveUp(*next, applied.error(), now);
  }
  return now;
}

void Reloader::Stop() {
  bridge_.queue.ForgetCount();
  next_.reset();
}

void Reloader::GiveUp(const Next& next, const Error& because, MonoTime now) {
  std::vector<std::string> problems;
  contract::UseCloudContracts(next.old_contracts);
  if (next.draining) {
    problems = Restore(next, now);
  }
  problems.insert(problems.begin(), because.message);
  Refuse(std::move(problems), next.subject, next.done);
}

Status Reloader::Apply(Next& next, MonoTime now) {
  contract::UseCloudContracts(next.contracts);
  if (Status done = bridge_.queue.Reconfigure(next.streams, next.destinations); !done) {
    return done.error().With("queue");
  }
  RETURN_IF_ERROR(bridge_.destinations.BindStreams(next.config));
  bridge_.destinations.SetSharedLimits(bridge_.config, next.config);
  RETURN_IF_ERROR(ReplaceDestinations(next, now));
  NoteStreamChanges(bridge_.config, next.config, next.changes);
  NoteContractChanges(*next.old_contracts, *next.contracts, next.changes);
  const queue::Limits limits = QueueLimits(next.config.queue);
  if (limits != QueueLimits(bridge_.config.queue)) {
    bridge_.queue.SetLimits(limits);
    next.changes.emplace_back("the limits of the queue changed");
  }
  bridge_.config = next.config;
  ReplaceSources(next);
  return health::ConfigureLog(next.config.log.level, next.config.log.format);
}

std::string Reloader::WaitsFor(const std::string& destination) {
  std::uint64_t messages = 0;
  for (const Lane lane : kAllLanes) {
    const queue::PendingStats stats = bridge_.queue.Waiting(destination, lane);
    messages += stats.messages + stats.withheld;
  }
  return messages == 0 ? "" : "; stored messages that wait for it: " + std::to_string(messages);
}

Status Reloader::ReplaceDestinations(Next& next, MonoTime now) {
  // All successors are made before the first predecessor goes: a failure then leaves everything as it was.
  std::map<std::string, DestinationUnit> made;
  for (const config::Destination& destination : next.config.destinations) {
    const auto authorizer = next.authorizers.find(destination.name);
    if (authorizer == next.authorizers.end()) {
      continue;
    }
    auto unit = bridge_.destinations.Make(next.config.gateway, destination, std::move(authorizer->second));
    RETURN_IF_ERROR(unit);
    made.emplace(destination.name, std::move(unit).value());
  }
  std::vector<DestinationUnit> units;
  for (const config::Destination& destination : next.config.destinations) {
    const auto old = std::find_if(bridge_.destinations.units().begin(), bridge_.destinations.units().end(),
                                  [&](const DestinationUnit& unit) { return unit.config.name == destination.name; });
    const auto successor = made.find(destination.name);
    if (successor == made.end()) {
      units.push_back(std::move(*old));
      continue;
    }
    if (old != bridge_.destinations.units().end()) {
      successor->second.destination->TakeOver(*old->destination);
      TakeOverPause(*old, successor->second, now);
    }
    next.changes.push_back(
        "destination '" + destination.name + "' " +
        (old == bridge_.destinations.units().end() ? "added" + WaitsFor(destination.name) : "changed"));
    units.push_back(std::move(successor->second));
  }
  for (const std::string& name : next.leaving) {
    if (FindNamed(next.config.destinations, name) == next.config.destinations.end()) {
      next.changes.push_back("destination '" + name + "' removed; its backlog stays in the queue until it is back");
    }
  }
  bridge_.destinations.units() = std::move(units);
  return {};
}

void Reloader::ReplaceSource(Next& next, SourceUnit& unit, std::unique_ptr<SourceUnit> fresh) {
  if (auto routes = bridge_.sources.RoutesOf(next.config, unit.config.name)) {
    unit.intake->SetRoutes(std::move(routes).value(), LimitsOf(fresh->config));
  }
  unit.retry_at = {};
  if (unit.config == fresh->config && unit.filters == fresh->filters && unit.wants_retained == fresh->wants_retained) {
    return;
  }
  Leave(unit, bridge_.clock);
  unit.config = fresh->config;
  unit.filters = fresh->filters;
  unit.wants_retained = fresh->wants_retained;
  next.changes.push_back("source '" + unit.config.name + "' changed: connecting anew");
}

// They are started by FollowSources(), which the loop calls next.
void Reloader::ReplaceSources(Next& next) {
  GiveWay(bridge_.sources, next.config);
  std::vector<std::unique_ptr<SourceUnit>> units;
  for (const config::Source& source : next.config.sources) {
    auto fresh = bridge_.sources.Make(next.config, source);
    if (!fresh) {
      next.warnings.push_back(fresh.error().message);
      continue;
    }
    const auto old = std::find_if(bridge_.sources.units().begin(), bridge_.sources.units().end(),
                                  [&](const auto& unit) { return unit && unit->config.name == source.name; });
    if (old == bridge_.sources.units().end()) {
      units.push_back(std::move(fresh).value());
      next.changes.push_back("source '" + source.name + "' added");
      continue;
    }
    units.push_back(std::move(*old));
    ReplaceSource(next, *units.back(), std::move(fresh).value());
  }
  for (auto& unit : bridge_.sources.units()) {
    if (unit && unit->source) {
      next.changes.push_back("source '" + unit->config.name + "' removed");
      LeaveForGood(bridge_.sources, std::move(unit));
    }
  }
  bridge_.sources.units() = std::move(units);
}

std::vector<std::string> Reloader::Restore(const Next& next, MonoTime now) {
  std::vector<std::string> problems;
  const auto note = [&problems](const Error& error) {
    problems.push_back("back to the old configuration: " + error.message);
  };
  if (Status old = bridge_.queue.Reconfigure(QueueStreams(bridge_.config), QueueDestinations(bridge_.config)); !old) {
    note(old.error());
  }
  if (Status bound = bridge_.destinations.BindStreams(bridge_.config); !bound) {
    note(bound.error());
  }
  for (DestinationUnit& unit : bridge_.destinations.units()) {
    if (!next.leaving.contains(unit.config.name)) {
      continue;
    }
    auto authorizer = MakeAuthorizer(bridge_.config.gateway, unit.config, *contract::CloudContracts());
    if (!authorizer) {
      note(authorizer.error());
      continue;
    }
    auto again = bridge_.destinations.Make(bridge_.config.gateway, unit.config, std::move(authorizer).value());
    if (!again) {
      note(again.error());
      continue;
    }
    again->destination->TakeOver(*unit.destination);
    TakeOverPause(unit, *again, now);
    unit = std::move(again).value();
  }
  return problems;
}

void Reloader::Refuse(std::vector<std::string> problems, const std::string& subject, const Done& done) {
  std::string all;
  for (const std::string& line : problems) {
    all += (all.empty() ? "" : "; ") + line;
    health::Log(health::LogLevel::kError, "config_problem", line);
  }
  bridge_.events.Raise(kRefusedEvent, subject, Shorten("the old configuration stays in force: " + all, 2'000),
                       bridge_.clock.Wall());
  done({false, std::move(problems), {}, {}});
}

void Reloader::Finish(Next& next) {
  ++applied_;
  const MonoTime now = bridge_.clock.Mono();
  for (DestinationUnit& unit : bridge_.destinations.units()) {
    const Result<bool> changed = unit.authorizer->Refresh();
    if (!changed) {
      next.warnings.push_back("destination '" + unit.config.name +
                              "': the secret in use is kept: " + changed.error().message);
    } else if (*changed) {
      next.changes.push_back("destination '" + unit.config.name + "' has a new secret");
    }
    unit.destination->Nudge(now);
  }
  // A configuration that is broken in its file stays so when tables are taken over.
  bridge_.events.Resolve(kRefusedEvent, kOfTables, bridge_.clock.Wall());
  if (next.subject == kOfConfiguration) {
    bridge_.events.Resolve(kRefusedEvent, kOfConfiguration, bridge_.clock.Wall());
  }
  FollowRefusedContracts(*next.contracts, bridge_.events, bridge_.clock.Wall());
  for (const std::string& warning : next.warnings) {
    health::Log(health::LogLevel::kWarning, "config_warning", warning);
  }
  for (const RefusedReport& refused : next.refused) {
    for (const std::string& mistake : refused.mistakes) {
      health::Log(health::LogLevel::kError, "config_problem", mistake);
    }
  }
  health::Log(health::LogLevel::kInfo, "config_reloaded", "the configuration of " + file_ + " is in force",
              {{"changes", std::to_string(next.changes.size())}, {"refused", std::to_string(next.refused.size())}});
  next.done({true, std::move(next.warnings), std::move(next.changes), std::move(next.refused)});
}

}  // namespace packhorse::bridge
