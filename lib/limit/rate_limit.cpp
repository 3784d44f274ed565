#include "limit/rate_limit.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/units.h"

namespace packhorse::limit {
namespace {

constexpr std::chrono::milliseconds kLongestWindow = std::chrono::hours(24 * 366);
// New slots start at least per/60 apart. One lives for `per`, its own width and what Arrived() adds: never more than 64
// at a time in a window of ten seconds or more, and twice as many in a shorter one.
constexpr std::int64_t kSlotsPerWindow = 60;
// Of a window: by how much it becomes longer where requests take unequally long.
constexpr std::int64_t kUnequal = 40;
constexpr std::chrono::milliseconds kUnequalAtLeast{250};

// At least one: a limit that admits nothing would stop the destination for ever.
std::uint64_t Scaled(std::uint64_t count, double factor) {
  if (factor >= 1.0) {
    return std::max<std::uint64_t>(count, 1);
  }
  const double scaled = std::floor(static_cast<double>(count) * factor);
  return scaled < 1.0 ? 1 : std::min(static_cast<std::uint64_t>(scaled), count);
}

}  // namespace

std::string_view Name(Window::Unit unit) {
  switch (unit) {
    case Window::Unit::kRequests:
      return "requests";
    case Window::Unit::kRecords:
      return "records";
    case Window::Unit::kBytes:
      return "bytes";
  }
  return "invalid";
}

std::uint64_t AmountOf(const Cost& cost, Window::Unit unit) {
  switch (unit) {
    case Window::Unit::kRequests:
      return cost.requests;
    case Window::Unit::kRecords:
      return cost.records;
    case Window::Unit::kBytes:
      return cost.bytes;
  }
  return 0;
}

RateLimit::RateLimit(std::vector<Window> windows) {
  for (Window& window : windows) {
    window.per = std::min(window.per, kLongestWindow);
    if (window.per > std::chrono::milliseconds::zero()) {
      states_.push_back(State{window, {}});
    }
  }
}

// The first moment at which the slot is outside every interval of the window's length, ends included.
MonoTime RateLimit::Expiry(const Window& window, const Slot& slot) {
  return slot.last + window.per + std::chrono::nanoseconds(1);
}

MonoTime RateLimit::NextIn(const State& state, std::uint64_t amount, MonoTime now) const {
  if (amount == 0) {
    return now;
  }
  const std::uint64_t limit = Scaled(state.window.count, factor_);
  const std::uint64_t room = amount > limit ? 0 : limit - amount;
  std::uint64_t used = 0;
  for (auto slot = state.slots.rbegin(); slot != state.slots.rend(); ++slot) {
    const MonoTime expiry = Expiry(state.window, *slot);
    if (expiry <= now) {
      break;
    }
    used = AddSaturating(used, slot->used);
    if (used > room) {
      return expiry;
    }
  }
  return now;
}

MonoTime RateLimit::NextAdmission(const Cost& cost, MonoTime now) const {
  MonoTime next = now;
  for (const State& state : states_) {
    next = std::max(next, NextIn(state, AmountOf(cost, state.window.unit), now));
  }
  return next;
}

void RateLimit::Admit(const Cost& cost, MonoTime now) {
  for (State& state : states_) {
    while (!state.slots.empty() && Expiry(state.window, state.slots.front()) <= now) {
      state.slots.pop_front();
    }
    const std::uint64_t amount = AmountOf(cost, state.window.unit);
    if (amount == 0) {
      continue;
    }
    const std::chrono::nanoseconds width =
        std::chrono::nanoseconds(state.window.per) / kSlotsPerWindow + std::chrono::nanoseconds(1);
    if (state.slots.empty() || now >= state.slots.back().start + width) {
      state.slots.push_back(Slot{now, now, amount});
    } else {
      Slot& slot = state.slots.back();
      slot.last = std::max(slot.last, now);
      slot.used = AddSaturating(slot.used, amount);
    }
  }
}

void RateLimit::Arrived(MonoTime admitted, MonoTime now) {
  for (State& state : states_) {
    const std::chrono::nanoseconds most =
        std::max<std::chrono::nanoseconds>(std::chrono::nanoseconds(state.window.per) / kUnequal, kUnequalAtLeast);
    const MonoTime latest = std::min({now, admitted + most, admitted + state.window.per});
    // The later ones too: slots expire in their order.
    for (std::size_t i = state.slots.size(); i-- > 0;) {
      Slot& slot = state.slots[i];
      slot.last = std::max(slot.last, latest);
      if (slot.start <= admitted) {
        break;
      }
    }
  }
}

void RateLimit::NeverArrived(const Cost& cost, MonoTime admitted) {
  for (State& state : states_) {
    const auto slot =
        std::find_if(state.slots.rbegin(), state.slots.rend(), [&](const Slot& one) { return one.start <= admitted; });
    if (slot != state.slots.rend()) {
      slot->used -= std::min(slot->used, AmountOf(cost, state.window.unit));
    }
  }
}

std::uint64_t RateLimit::Used(MonoTime now) const {
  std::uint64_t used = 0;
  if (!states_.empty()) {
    for (const Slot& slot : states_.front().slots) {
      used = Expiry(states_.front().window, slot) > now ? AddSaturating(used, slot.used) : used;
    }
  }
  return used;
}

void RateLimit::SetFactor(double factor) {
  // The comparison is written so that NaN ends up at the slow end.
  factor_ = factor > 0.0 ? std::min(factor, 1.0) : std::numeric_limits<double>::min();
}

void RateLimit::TakeOver(const RateLimit& old) {
  for (State& state : states_) {
    const State* best = nullptr;
    for (const State& other : old.states_) {
      const bool covers = best != nullptr && best->window.per >= state.window.per;
      if (other.window.unit == state.window.unit &&
          (best == nullptr || (covers ? other.window.per >= state.window.per && other.window.per < best->window.per
                                      : other.window.per > best->window.per))) {
        best = &other;
      }
    }
    if (best != nullptr) {
      state.slots = best->slots;
    }
  }
}

std::size_t RateLimit::slot_count() const {
  std::size_t count = 0;
  for (const State& state : states_) {
    count += state.slots.size();
  }
  return count;
}

}  // namespace packhorse::limit
