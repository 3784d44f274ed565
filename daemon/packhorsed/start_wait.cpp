#include "packhorsed/start_wait.h"

#include <poll.h>

#include <algorithm>
#include <string>
#include <utility>

#include "base/units.h"
#include "common/load.h"
#include "document/problems.h"
#include "health/log.h"
#include "packhorsed/loop.h"
#include "queue/recovery/start_obstacle.h"

namespace packhorse::daemon {
namespace {

class StartWait {
 public:
  StartWait(App& app, Notifier& notifier, int signals, Pace pace)
      : app_(app), notifier_(notifier), signals_(signals), pace_(pace), next_(pace.first) {}

  // Why nothing is open yet; told when it changes.
  void Tell(const Error& why) {
    if (why.message == told_) {
      return;
    }
    notifier_.Say("waiting for the queue, nothing is received or delivered: " + Shorten(why.message, kStatusBytes));
    if (told_.empty()) {
      notifier_.Ready();
    }
    told_ = why.message;
    health::Log(health::LogLevel::kError, "waiting_for_queue", "nothing is received or delivered: " + why.message,
                {{"code", std::string(Name(why.code))}, {"tried_again_within", FormatDuration(pace_.most)}});
  }

  // Until the next try. False: the daemon is to end.
  bool Wait() {
    const MonoTime until = app_.clock.Mono() + std::exchange(next_, std::min(2 * next_, pace_.most));
    for (MonoTime now = app_.clock.Mono(); now < until; now = app_.clock.Mono()) {
      const MonoTime wake = std::min(until, notifier_.Ping(now).value_or(until));
      pollfd signals{signals_, POLLIN, 0};
      static_cast<void>(
          poll(&signals, 1, static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(wake - now).count())));
      const Signal signal = NextSignal(signals_);
      if (signal == Signal::kStop) {
        return false;
      }
      if (signal == Signal::kReload) {
        Reload();
        return true;
      }
    }
    return true;
  }

  void GoOn() const {
    if (!told_.empty()) {
      health::Log(health::LogLevel::kInfo, "waited_for_queue", "the queue is open: the start goes on");
    }
  }

 private:
  void Reload() {
    next_ = pace_.first;
    config::Loaded loaded = LoadConfiguration(app_.config_file);
    for (const document::Problem& problem : loaded.problems) {
      health::Log(loaded.ok() ? health::LogLevel::kWarning : health::LogLevel::kError, "config_problem",
                  document::Describe(problem));
    }
    if (loaded.ok()) {
      app_.config = std::move(loaded.config);
    }
  }

  App& app_;
  Notifier& notifier_;
  const int signals_;
  const Pace pace_;
  std::chrono::milliseconds next_;
  std::string told_;
};

}  // namespace

Result<QueueStart> OpenQueueOrWait(App& app, Notifier& notifier, int signals, Pace pace) {
  StartWait wait(app, notifier, signals, pace);
  while (true) {
    const Status opened = OpenQueue(app);
    if (opened) {
      wait.GoOn();
      return QueueStart::kOpened;
    }
    if (queue::IsLasting(opened.error())) {
      return opened.error();
    }
    wait.Tell(opened.error());
    if (!wait.Wait()) {
      return QueueStart::kStopped;
    }
  }
}

}  // namespace packhorse::daemon
