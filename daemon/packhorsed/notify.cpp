#include "packhorsed/notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/file.h"
#include "base/text.h"

namespace packhorse::daemon {
namespace {

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::optional<std::uint64_t> Number(const std::string& text) {
  std::uint64_t value = 0;
  return ReadNumber(text, value) ? std::optional(value) : std::nullopt;
}

}  // namespace

Notifier::Notifier(std::string socket, std::optional<std::chrono::microseconds> watchdog) : socket_(std::move(socket)) {
  if (watchdog && watchdog->count() > 1) {
    interval_ = *watchdog / 2;
  }
}

Notifier Notifier::FromEnvironment() {
  std::optional<std::chrono::microseconds> watchdog;
  const auto limit = Number(Environment("WATCHDOG_USEC"));
  const std::string pid = Environment("WATCHDOG_PID");
  // A limit for another process (sd_watchdog_enabled(3)) is none of ours; an hour is more than any sensible limit.
  if (limit && (pid.empty() || Number(pid) == static_cast<std::uint64_t>(getpid()))) {
    watchdog = std::chrono::microseconds(std::min<std::uint64_t>(*limit, 3'600'000'000ULL));
  }
  Notifier notifier(Environment("NOTIFY_SOCKET"), watchdog);
  for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) {
    unsetenv(name);
  }
  return notifier;
}

void Notifier::Ready() { Send("READY=1"); }

void Notifier::Reloading(MonoTime now) {
  const auto since_boot = std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch());
  Send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(since_boot.count()));
}

void Notifier::Stopping() { Send("STOPPING=1"); }

void Notifier::Say(std::string_view text) {
  if (text == said_) {
    return;
  }
  said_ = text;
  std::string line = said_;
  std::replace(line.begin(), line.end(), '\n', ' ');
  Send("STATUS=" + line);
}

std::optional<MonoTime> Notifier::Ping(MonoTime now) {
  if (!interval_) {
    return std::nullopt;
  }
  if (!next_ping_ || now >= *next_ping_) {
    Send("WATCHDOG=1");
    next_ping_ = now + *interval_;
  }
  return next_ping_;
}

void Notifier::Send(const std::string& message) const {
  sockaddr_un address{};
  if (socket_.size() < 2 || socket_.size() >= sizeof address.sun_path || (socket_[0] != '/' && socket_[0] != '@')) {
    return;
  }
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, socket_.data(), socket_.size());
  if (address.sun_path[0] == '@') {
    address.sun_path[0] = '\0';
  }
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
  const Fd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.valid()) {
    // There is nobody to report a failure to; see the class comment.
    static_cast<void>(sendto(fd.get(), message.data(), message.size(), MSG_NOSIGNAL,
                             reinterpret_cast<const sockaddr*>(&address), length));
  }
}

}  // namespace packhorse::daemon
