#include "delivery/clock_watch.h"

#include <chrono>
#include <string>
#include <utility>

namespace packhorse::delivery {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Whoever steers a clock moves it by less than this within a second; more means that it was set.
constexpr auto kStep = seconds(1);

// "1.5 s", "20413 d": by how much a clock was wrong, one unit is enough.
std::string Amount(microseconds difference) {
  const auto amount = std::chrono::abs(difference);
  if (amount >= std::chrono::hours(48)) {
    return std::to_string(std::chrono::floor<std::chrono::days>(amount).count()) + " d";
  }
  if (amount >= seconds(100)) {
    return std::to_string(std::chrono::floor<seconds>(amount).count()) + " s";
  }
  const auto tenths = std::chrono::duration_cast<milliseconds>(amount).count() / 100;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " s";
}

std::string Way(microseconds difference) {
  return (difference < microseconds(0) ? "back by " : "forward by ") + Amount(difference);
}

}  // namespace

void ClockWatch::Look() {
  const bool synchronized = clock_.Synchronized();
  const WallTime wall_at_boot = WallAtBoot(clock_);
  if (synchronized && queue_.ClockOfBoot().state == queue::BootClock::State::kAwaited) {
    Learn();
  } else {
    CheckStep(wall_at_boot);
  }
  wall_at_boot_ = wall_at_boot;
  CheckSteered(synchronized);
}

void ClockWatch::Learn() {
  if (!queue_.LearnClock()) {
    return;  // it was lost again in this very moment
  }
  Tell("clock_learnt",
       "the clock is right for the first time since the machine started and was put " +
           Way(queue_.ClockOfBoot().offset) +
           "; what arrived before and has not gone out yet goes out with corrected stamps (gateway_clock: recovered)");
}

void ClockWatch::CheckSteered(bool synchronized) {
  if (synchronized) {
    events_.Resolve("clock_unsynchronized", "", clock_.Wall());
    unsteered_ = false;
    return;
  }
  if (unsteered_ || queue_.ClockOfBoot().withholds) {
    return;  // told, or still hoped for
  }
  unsteered_ = true;
  events_.Raise("clock_unsynchronized", "",
                "the kernel does not know the gateway's clock to be right: records carry gateway_clock unsynchronized,"
                " and for queue.max_age only the time that this machine runs counts",
                clock_.Wall());
}

void ClockWatch::CheckStep(WallTime wall_at_boot) {
  const microseconds step = wall_at_boot - wall_at_boot_.value_or(wall_at_boot);
  if (step <= -kStep || step >= kStep) {
    Tell("clock_stepped",
         "the gateway's clock was put " + Way(step) + "; records that arrived before keep their stamps");
  }
}

void ClockWatch::Tell(health::EventName name, std::string message) {
  events_.Raise(name, "", std::move(message), clock_.Wall());
}

}  // namespace packhorse::delivery
