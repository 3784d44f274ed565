#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "bridge/destinations.h"

namespace packhorse::bridge {

// Which messages of the quarantine are decoded again.
struct RetrySelection {
  std::string stream;       // empty: of all
  std::string destination;  // empty: of all that are configured
  bool waiting = false;     // only those that wait for what decodes them
};

// Messages, counted for each destination.
struct RetryReport {
  std::uint64_t sent = 0;     // pending again
  std::uint64_t ended = 0;    // have nothing to upload, after all
  std::uint64_t stay = 0;     // cannot be decoded still
  std::string still_because;  // of the first that stays
  bool remaining = false;     // there were more than one call sends
};

// Decodes messages in quarantine again, a page each iteration; what decodes goes on its way under its record id: on
// request and, after a start and a reload, those that wait for what decodes them. Loop thread.
class QuarantineRetries {
 public:
  using Done = std::function<void(Result<RetryReport>)>;

  QuarantineRetries(queue::Queue& queue, Destinations& destinations) : queue_(queue), destinations_(destinations) {}
  // At most 10,000 messages are sent by one call. `done` runs now or later, in Step() or Queue::Poll().
  void Begin(RetrySelection selection, Done done);
  // Each iteration; `reloads` is Reloader::applied(). When to be called next.
  MonoTime Step(MonoTime now, std::uint64_t reloads);

 private:
  struct Job;
  void TryWaiting(MonoTime now, std::uint64_t reloads);
  // Whether there is more to do at once.
  bool NextPage(const std::shared_ptr<Job>& job);

  queue::Queue& queue_;
  Destinations& destinations_;
  std::vector<std::shared_ptr<Job>> jobs_;
  std::optional<std::uint64_t> tried_with_;  // reloads, when what waits was tried last
  bool trying_ = false;
  MonoTime next_look_{};
};

}  // namespace packhorse::bridge
