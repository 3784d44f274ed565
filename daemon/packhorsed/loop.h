#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/file.h"
#include "base/result.h"
#include "bridge/old_sessions.h"
#include "bridge/reconciliation.h"
#include "bridge/reload.h"
#include "bridge/table_watch.h"
#include "control/control.h"
#include "delivery/clock_watch.h"
#include "monitor/gaps.h"
#include "monitor/limit_keeper.h"
#include "monitor/noisy_devices.h"
#include "monitor/source_events.h"
#include "monitor/watch.h"
#include "packhorsed/app.h"
#include "packhorsed/event_file.h"
#include "packhorsed/handlers.h"
#include "packhorsed/notify.h"
#include "packhorsed/reconcile_file.h"
#include "packhorsed/sending_file.h"
#include "packhorsed/tail.h"
#include "reconcile/reconciler.h"

namespace packhorse::daemon {

// SIGTERM, SIGINT and SIGHUP as a descriptor. Make it before any thread is started, so that no other thread takes them.
Result<Fd> BlockSignals();
enum class Signal { kNone, kStop, kReload };
// The next one that has come; never waits.
Signal NextSignal(int fd);

// The one thread that does everything but receive and store (docs/ARCHITECTURE.md, "Threads"). An iteration:
// completions of the queue, every destination's step, the control socket, the once-a-second checks, the watchdog; then
// it sleeps until the nearest deadline or until something happens. The watchdog is fed from here only: a loop that
// hangs is restarted.
class Loop {
 public:
  Loop(App& app, Notifier& notifier, Fd signals);

  // Opens the control socket and starts the sources. A broker that is away is no failure.
  Status Start();
  // Until SIGTERM or SIGINT; then drains within a deadline. The exit code.
  int Run();

 private:
  void Iterate(MonoTime latest);
  MonoTime Work(MonoTime now, MonoTime latest);
  void CheckEverySecond(MonoTime now);
  // What devices and brokers did since the last look.
  void LookAtSources(MonoTime now);
  void LookAtGrowth(const monitor::Condition& condition, MonoTime now);
  // Something is wrong that only a start mends.
  void EndToStartAgain(std::string_view event, std::string_view what, const std::string& because, int exit_code);
  void ReadSignals();
  void BeginReload(MonoTime now);
  void StopSources(MonoTime deadline);
  void Shutdown();
  // Once the queue is stopped: what is left, and whether the disk has it.
  void SayStopped(const std::string& pending);

  App& app_;
  Notifier& notifier_;
  Fd signals_;
  bridge::Reloader reloader_;
  bridge::TableWatch table_watch_;
  bridge::ReconcileSurroundings surroundings_;
  reconcile::Reconciler reconciler_;
  Tail tail_;
  Handlers handlers_;
  monitor::Watch watch_;
  delivery::ClockWatch clock_watch_;
  monitor::Gaps gaps_;
  monitor::LimitKeeper limit_keeper_;
  monitor::NoisyDevices noisy_devices_;
  monitor::SourceEvents source_events_;
  bridge::OldSessions old_sessions_;
  EventFile event_file_;
  SendingFile sending_file_;
  ReconcileFile reconcile_file_;
  std::unique_ptr<control::Server> server_;
  MonoTime next_check_{};
  MonoTime next_expiry_look_{};
  std::uint64_t reloads_seen_ = 0;
  std::size_t first_unit_ = 0;
  bool sources_blocked_ = false;  // off their brokers, as of the last check
  bool reload_asked_ = false;     // by SIGHUP
  bool stopping_ = false;
  int exit_code_ = 0;
};

}  // namespace packhorse::daemon
