#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace packhorse::daemon {

// Of a reason in the line that `systemctl status` shows.
inline constexpr std::size_t kStatusBytes = 300;

// Tells the service manager how we are (sd_notify(3): one datagram of KEY=VALUE lines to the socket of $NOTIFY_SOCKET;
// a name that starts with '@' is in the abstract namespace). Without a socket every call does nothing. Nothing here
// fails the daemon: a manager that cannot be told acts on its own time-outs. Not thread-safe (loop).
class Notifier {
 public:
  // An empty `socket`: nobody to tell. `watchdog`: the manager's limit between two pings; none: no watchdog.
  Notifier(std::string socket, std::optional<std::chrono::microseconds> watchdog);
  // From NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, which are then removed: no child process may speak in our name.
  static Notifier FromEnvironment();

  void Ready();
  // RELOADING=1 with the time that sd_notify(3) wants beside it. Ready() ends it.
  void Reloading(MonoTime now);
  void Stopping();
  // The line that `systemctl status` shows; sent only when it changed.
  void Say(std::string_view text);
  // WATCHDOG=1 when half of the limit has passed since the last one. Answers when it wants to be called next.
  std::optional<MonoTime> Ping(MonoTime now);

 private:
  void Send(const std::string& message) const;

  std::string socket_;
  std::optional<std::chrono::microseconds> interval_;
  std::optional<MonoTime> next_ping_;
  std::string said_;
};

}  // namespace packhorse::daemon
