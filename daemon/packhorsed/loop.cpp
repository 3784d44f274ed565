#include "packhorsed/loop.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <thread>
#include <utility>

#include "base/random.h"
#include "bridge/expiring.h"
#include "bridge/leaving.h"
#include "common/contract_folder.h"
#include "common/load.h"
#include "health/log.h"
#include "packhorsed/observe.h"
#include "packhorsed/teardown.h"

namespace packhorse::daemon {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kCheckInterval{1};
constexpr std::chrono::minutes kExpiryInterval{10};
// The unit starts the daemon again.
constexpr int kExitDamaged = 74;          // EX_IOERR
constexpr int kExitReceivesNothing = 70;  // EX_SOFTWARE
// While somebody follows: messages arrive on another thread, which does not wake the loop for them.
constexpr milliseconds kTailInterval{10};
// The whole shutdown stays below TimeoutStopSec=30 of the unit, with room for a slow disk.
constexpr seconds kShutdown{10};
constexpr milliseconds kSourcesStop{3'000};
// What has just arrived still goes out when the link works; a backlog waits in the queue for the next start.
constexpr milliseconds kFlush{2'000};
// After everything is safe: how long the destructors may take before the process ends without them.
constexpr unsigned kTeardownSeconds = 5;

}  // namespace

Result<Fd> BlockSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  std::signal(SIGPIPE, SIG_IGN);  // a peer that hangs up is an error of write(), not our end
  if (const int error = pthread_sigmask(SIG_BLOCK, &set, nullptr); error != 0) {
    return ErrnoError("block signals", error);
  }
  Fd fd(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!fd.valid()) {
    return ErrnoError("signalfd", errno);
  }
  return fd;
}

Signal NextSignal(int fd) {
  signalfd_siginfo info{};
  if (read(fd, &info, sizeof info) != static_cast<ssize_t>(sizeof info)) {
    return Signal::kNone;
  }
  return info.ssi_signo == SIGHUP ? Signal::kReload : Signal::kStop;
}

Loop::Loop(App& app, Notifier& notifier, Fd signals)
    : app_(app),
      notifier_(notifier),
      signals_(std::move(signals)),
      reloader_(BridgeOf(app), app.config_file, LoadConfiguration),
      table_watch_(ContractFolderOf(app.config_file)),
      surroundings_(*app.queue, *app.destinations, app.config),
      reconciler_(surroundings_, app.events, app.clock, RandomSeed()),
      tail_(app),
      handlers_(app, reloader_, reconciler_, tail_),
      watch_(app.events, app.clock, app.config.queue.path),
      clock_watch_(*app.queue, app.events, app.clock),
      gaps_(*app.queue, app.clock, [&app](const std::string& name) { return app.destinations->ContractOf(name); }),
      limit_keeper_(*app.queue, app.events, app.clock, app.config.queue, gaps_),
      noisy_devices_(app.events, app.clock, app.config, gaps_),
      source_events_(*app.queue, *app.sessions, app.events, app.clock, app.config, gaps_),
      old_sessions_(*app.sources, app.config, app.events),
      event_file_(app),
      sending_file_(app),
      reconcile_file_(app, reconciler_) {}

Status Loop::Start() {
  auto server =
      control::Listen(app_.config.control.socket, [this](const control::Call& call) { return handlers_.Handle(call); });
  if (!server) {
    return server.error().With("control socket " + app_.config.control.socket);
  }
  server_ = std::move(server).value();
  const std::string blocked_because = limit_keeper_.BlockedBecause(app_.queue->Snapshot());
  sources_blocked_ = !blocked_because.empty();
  bridge::BlockSources(*app_.sources, blocked_because);
  bridge::FollowSources(*app_.sources, sources_blocked_, app_.clock.Mono());
  return {};
}

int Loop::Run() {
  notifier_.Ready();
  while (!stopping_) {
    Iterate(app_.clock.Mono() + kCheckInterval);
  }
  Shutdown();
  return exit_code_;
}

void Loop::Iterate(MonoTime latest) {
  const MonoTime deadline = Work(app_.clock.Mono(), latest);
  std::vector<int> fds = server_->Fds();
  fds.insert(fds.begin(), signals_.get());
  const Result<std::uint32_t> ready = app_.uploader->Poll(fds, deadline);
  if (!ready) {
    health::Log(health::LogLevel::kError, "poll_failed", ready.error().message);
    std::this_thread::sleep_for(milliseconds(100));  // whatever it is, do not spin
    return;
  }
  if ((*ready & 1U) != 0U) {
    ReadSignals();
  }
}

MonoTime Loop::Work(MonoTime now, MonoTime latest) {
  app_.queue->Poll();
  server_->Serve();
  if (reload_asked_ && !reloader_.active() && !stopping_) {
    reload_asked_ = false;
    BeginReload(now);
  } else if (!reloader_.active() && !stopping_ && table_watch_.Changed(now)) {
    reloader_.BeginTables(
        table_watch_.folder(), [](const bridge::ReloadReport&) {}, now);
  }
  MonoTime next = latest;
  if (!stopping_) {
    next = std::min(next, reloader_.Step(now));
    bridge::FollowSources(*app_.sources, sources_blocked_, now);
  }
  // After commands and reload, so that what they change acts in this iteration.
  // Each time another one first: of those that share a limit none takes all of it.
  std::vector<bridge::DestinationUnit>& units = app_.destinations->units();
  ++first_unit_;
  for (std::size_t i = 0; i < units.size(); ++i) {
    next = std::min(next, units[(first_unit_ + i) % units.size()].destination->Step(now));
  }
  if (std::exchange(reloads_seen_, reloader_.applied()) != reloader_.applied()) {
    app_.shadows->Configure(app_.config);
  }
  next = std::min(next, app_.shadows->Step(now));
  if (!stopping_) {
    next = std::min(next, reconciler_.Step(now));
  }
  next = std::min(next, handlers_.Serve(*server_, now));
  // Only when nothing is due at once: what it has no time for is shed.
  if (next > now && (app_.observer->Observe() || app_.shadows->fed())) {
    next = now;
  }
  tail_.Serve(*server_, now);
  if (tail_.following()) {
    next = std::min(next, now + kTailInterval);
  }
  if (now >= next_check_) {
    next_check_ = now + kCheckInterval;
    CheckEverySecond(now);
  }
  if (const auto ping = notifier_.Ping(now)) {
    next = std::min(next, *ping);
  }
  return next;
}

void Loop::CheckEverySecond(MonoTime now) {
  if (!stopping_) {
    limit_keeper_.Enforce(now);
    LookAtSources(now);
    gaps_.Store(now, false);
  }
  clock_watch_.Look();
  app_.wall_history.Look(app_.clock);
  const monitor::Condition condition = Observe(app_, now);
  if (!stopping_) {
    const std::string blocked_because = limit_keeper_.BlockedBecause(condition.queue);
    sources_blocked_ = !blocked_because.empty();
    bridge::BlockSources(*app_.sources, blocked_because);
    old_sessions_.Look(sources_blocked_, now);
  }
  watch_.Check(condition);
  LookAtGrowth(condition, now);
  if (now >= next_expiry_look_) {
    next_expiry_look_ = now + kExpiryInterval;
    monitor::FollowExpiries(bridge::FindExpiring(app_.config, *app_.destinations, now), app_.events, app_.clock.Wall());
  }
  event_file_.Look(now, false);
  sending_file_.Look(now, false);
  reconcile_file_.Look();
  if (stopping_) {
    return;
  }
  if (!condition.queue.damage.empty()) {
    // Only a start can salvage: nothing may have the database open meanwhile. The journal keeps what is not in it.
    EndToStartAgain("queue_damaged",
                    "the queue's database is damaged: ending, so that the next start salvages what can be read",
                    condition.queue.damage, kExitDamaged);
    return;
  }
  if (const std::string because = bridge::ReceivesNothing(*app_.sources); !because.empty()) {
    EndToStartAgain("receives_nothing",
                    "a message could not be stored: ending, so that the next start receives it again", because,
                    kExitReceivesNothing);
    return;
  }
  const monitor::Verdict verdict = monitor::Judge(condition);
  std::string line(Name(verdict.state));
  line += verdict.reasons.empty() ? ": receiving and delivering" : ": " + verdict.reasons.front();
  notifier_.Say(line);
}

void Loop::LookAtSources(MonoTime now) {
  for (const auto& unit : app_.sources->units()) {
    for (const ingest::NoisyDevice& noisy : unit->intake->TakeNoisy()) {
      noisy_devices_.Note(app_.queue->StreamName(noisy.stream), noisy, now);
    }
    source_events_.Look(bridge::StatusOf(*unit), unit->intake->TakeOddities(), now);
  }
  noisy_devices_.EndQuiet(now);
  source_events_.TellClouds(now);
}

void Loop::LookAtGrowth(const monitor::Condition& condition, MonoTime now) {
  for (const delivery::DestinationStatus& status : condition.destinations) {
    for (bridge::DestinationUnit& unit : app_.destinations->units()) {
      if (unit.config.name == status.name) {
        unit.growth.Look(status.pending, now);
      }
    }
  }
}

void Loop::EndToStartAgain(std::string_view event, std::string_view what, const std::string& because, int exit_code) {
  health::Log(health::LogLevel::kError, event, what, {{"because", because}});
  stopping_ = true;
  exit_code_ = exit_code;
}

void Loop::ReadSignals() {
  for (Signal signal = NextSignal(signals_.get()); signal != Signal::kNone; signal = NextSignal(signals_.get())) {
    reload_asked_ = reload_asked_ || signal == Signal::kReload;
    stopping_ = stopping_ || signal == Signal::kStop;
  }
}

void Loop::BeginReload(MonoTime now) {
  notifier_.Reloading(now);
  reloader_.Begin([this](const bridge::ReloadReport&) { notifier_.Ready(); }, now);
}

void Loop::StopSources(MonoTime deadline) {
  for (const auto& unit : app_.sources->old_sessions()) {
    unit->source->BeginStop();
  }
  for (const auto& unit : app_.sources->units()) {
    if (unit->source) {
      const auto left = std::chrono::duration_cast<milliseconds>(deadline - app_.clock.Mono());
      unit->source->Stop(std::max(left, milliseconds(100)));
      notifier_.Ping(app_.clock.Mono());
    }
  }
}

void Loop::Shutdown() {
  const MonoTime begin = app_.clock.Mono();
  notifier_.Stopping();
  notifier_.Say("stopping: sending what is under way");
  health::Log(health::LogLevel::kInfo, "stopping", "disconnecting, then sending what is under way");
  reloader_.Stop();
  StopSources(begin + kSourcesStop);
  const auto iterate_while = [this](MonoTime deadline, const auto& condition) {
    while (app_.clock.Mono() < deadline &&
           std::any_of(app_.destinations->units().begin(), app_.destinations->units().end(), condition)) {
      Iterate(std::min(deadline, app_.clock.Mono() + milliseconds(50)));
    }
  };
  for (bridge::DestinationUnit& unit : app_.destinations->units()) {
    unit.destination->Flush();
  }
  iterate_while(app_.clock.Mono() + kFlush, [this](const bridge::DestinationUnit& unit) {
    const delivery::DestinationStatus status = unit.destination->Snapshot(app_.clock.Mono());
    return status.state == limit::CircuitState::kOk && status.pending > 0;
  });
  for (bridge::DestinationUnit& unit : app_.destinations->units()) {
    unit.destination->Drain();
  }
  iterate_while(begin + kShutdown, [](const bridge::DestinationUnit& unit) { return !unit.destination->idle(); });
  app_.uploader->Abort();
  LookAtSources(app_.clock.Mono());
  gaps_.Store(app_.clock.Mono(), true);
  event_file_.Look(app_.clock.Mono(), true);
  sending_file_.Look(app_.clock.Mono(), true);
  const Result<queue::Ledger> ledger = app_.queue->ReadLedger();
  const std::string pending = ledger ? std::to_string(ledger->Total().pending) : "unknown";
  app_.queue->Stop();
  SayStopped(pending);
  // A receive thread may still be inside the library. Nothing is lost by leaving it there; waiting for it could take
  // for ever.
  EndWithin(kTeardownSeconds, exit_code_);
}

void Loop::SayStopped(const std::string& pending) {
  const queue::Stats left = app_.queue->Snapshot();
  if (left.last_error.empty()) {
    health::Log(health::LogLevel::kInfo, "stopped", "everything not yet delivered is safe in the queue",
                {{"pending", pending}});
    notifier_.Say("stopped, not yet delivered: " + pending);
    return;
  }
  const std::string at_risk = std::to_string(left.at_risk) + " messages are only in the journal in " +
                              app_.config.queue.runtime_dir + ", which ends with the machine: start again before";
  health::Log(health::LogLevel::kError, "stopped", at_risk + "; the queue cannot be written: " + left.last_error,
              {{"pending", pending}});
  notifier_.Say("stopped, not yet delivered: " + pending + "; the queue cannot be written, " + at_risk);
}

}  // namespace packhorse::daemon
