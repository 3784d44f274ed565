#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>

#include "base/clock.h"

namespace packhorse::cloud {

// A fixed window: at most `requests` per `window`, all given back when it ends. Thread-safe.
class RateWindow {
 public:
  struct Verdict {
    bool allowed = true;
    std::uint64_t limit = 0;
    std::uint64_t remaining = 0;
    std::chrono::seconds window{0};
    std::chrono::seconds reset{0};  // rounded up; when the window ends
  };

  void Configure(std::uint64_t requests, std::chrono::seconds window) {
    const std::lock_guard lock(mutex_);
    limit_ = requests;
    window_ = window;
    used_ = 0;
    ends_ = {};
  }

  // Takes one request out of the window if there is one left.
  Verdict Take(MonoTime now) {
    const std::lock_guard lock(mutex_);
    if (now >= ends_) {
      ends_ = now + window_;
      used_ = 0;
    }
    Verdict verdict;
    verdict.allowed = used_ < limit_;
    used_ += verdict.allowed ? 1 : 0;
    verdict.limit = limit_;
    verdict.remaining = limit_ - used_;
    verdict.window = window_;
    verdict.reset = std::chrono::ceil<std::chrono::seconds>(ends_ - now);
    return verdict;
  }

 private:
  std::mutex mutex_;
  std::uint64_t limit_ = 1'000'000;
  std::chrono::seconds window_{60};
  std::uint64_t used_ = 0;
  MonoTime ends_{};
};

}  // namespace packhorse::cloud
