#include "delivery/accepted_times.h"

#include <algorithm>

#include "base/units.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kLongestNotice = 1h;
constexpr auto kToldAgain = 1min;
constexpr auto kOutageOver = 10min;

}  // namespace

std::string_view AcceptedTimes::Refuses(std::chrono::microseconds age) const {
  if (oldest && age > *oldest) {
    return kTooOld;
  }
  return newest && -age > *newest ? kTooNew : std::string_view();
}

std::string AcceptedTimes::Words() const {
  const std::string old = oldest ? "at most " + FormatDuration(*oldest) + " old" : "";
  const std::string ahead = newest ? "at most " + FormatDuration(*newest) + " ahead" : "";
  return old + (old.empty() || ahead.empty() ? "" : " and ") + ahead;
}

std::chrono::milliseconds AcceptedTimes::Notice() const {
  return oldest ? std::min(kLongestNotice, *oldest / 4) : std::chrono::milliseconds(0);
}

void OutsideTimes::Add(const contract::RenderedRecord& record) {
  const bool old = record.reason == kTooOld;
  if (!record.time || (!old && record.reason != kTooNew)) {
    return;
  }
  Add(OutsideTimes{old ? 1U : 0U, old ? 0U : 1U, *record.time, *record.time});
}

void OutsideTimes::Add(const OutsideTimes& others) {
  if (others.empty()) {
    return;
  }
  first = empty() ? others.first : std::min(first, others.first);
  last = empty() ? others.last : std::max(last, others.last);
  too_old += others.too_old;
  too_new += others.too_new;
}

void OutsideNotice::Add(const OutsideTimes& times, MonoTime now) {
  if (times.empty()) {
    return;
  }
  if (!all_.empty() && now - last_at_ >= kOutageOver) {
    *this = OutsideNotice();
  }
  all_.Add(times);
  last_at_ = now;
}

std::optional<MonoTime> OutsideNotice::due() const {
  if (all_.too_old + all_.too_new == told_) {
    return std::nullopt;
  }
  return told_ == 0 ? last_at_ : told_at_ + kToldAgain;
}

std::string OutsideNotice::Take(const AcceptedTimes& accepted, MonoTime now) {
  told_ = all_.too_old + all_.too_new;
  told_at_ = now;
  return TextOf(all_, accepted);
}

std::string TextOf(const OutsideTimes& times, const AcceptedTimes& accepted) {
  const auto count = [](std::uint64_t records, std::string_view reason) {
    return std::to_string(records) + " " + std::string(reason);
  };
  const std::string counts = times.too_new == 0 ? count(times.too_old, kTooOld)
                             : times.too_old == 0
                                 ? count(times.too_new, kTooNew)
                                 : count(times.too_old, kTooOld) + ", " + count(times.too_new, kTooNew);
  return "not sent, records of " + FormatUtc(times.first) + " to " + FormatUtc(times.last) + ": " + counts +
         "; the API takes what is " + accepted.Words();
}

}  // namespace packhorse::delivery
