#include "limit/announced_limits.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/units.h"

namespace packhorse::limit {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr double kShareOfPace = 0.97;
constexpr minutes kLongestWait{30};
constexpr seconds kUntilItTells{1};
// Nobody limits so much, or over so short or long a time: such words mean something else.
constexpr std::uint64_t kMostCount = 1'000'000'000'000;
constexpr milliseconds kShortestAnnounced = seconds(1);
constexpr milliseconds kLongestAnnounced = hours(24 * 31);
constexpr std::size_t kLongestName = 64;
// Moments that are told in whole seconds and lie so near to each other are the same one.
constexpr milliseconds kSameMoment{1'500};
// Of a count: by how much our own and theirs differ though nobody else uses the quota.
constexpr std::uint64_t kDiffers = 32;
constexpr std::uint32_t kSilentReplies = 20;
constexpr minutes kShortestSilence{10};
constexpr hours kLongestSilence{1};
constexpr hours kLongestReset{24};

// What of it makes sense.
Announcement Sensible(Announcement said) {
  said.name = Shorten(said.name, kLongestName);
  if (said.count && (*said.count == 0 || *said.count > kMostCount)) {
    said.count.reset();
  }
  if (said.per && (*said.per < kShortestAnnounced || *said.per > kLongestAnnounced)) {
    said.per.reset();
  }
  if (said.at_once) {
    said.unit = Window::Unit::kRequests;
    said.per.reset();
    said.left.reset();
  }
  const bool ends = said.resets && *said.resets > milliseconds::zero() && *said.resets <= kLongestAnnounced;
  if (!ends || (said.left && *said.left > kMostCount)) {
    said.left.reset();
  }
  if (!said.left) {
    said.resets.reset();
  }
  return said;
}

bool IsWindow(const Announcement& said) { return said.count && said.per; }

bool IsLimit(const Announcement& said) { return IsWindow(said) || said.left || (said.at_once && said.count); }

std::uint64_t Without(std::uint64_t count, std::uint64_t less) { return count > less ? count - less : 0; }

// `amount` of `count` things that are spread over `time`.
nanoseconds ShareOf(nanoseconds time, std::uint64_t amount, std::uint64_t count) {
  const double share =
      std::min(1.0, static_cast<double>(amount) / static_cast<double>(std::max<std::uint64_t>(count, 1)));
  return nanoseconds(static_cast<nanoseconds::rep>(static_cast<double>(time.count()) * share));
}

}  // namespace

AnnouncedLimits::Limit& AnnouncedLimits::Of(const Announcement& said, MonoTime now) {
  const auto known = std::find_if(limits_.begin(), limits_.end(), [&](const Limit& limit) {
    return limit.said.name == said.name && limit.said.unit == said.unit && limit.said.at_once == said.at_once;
  });
  if (known != limits_.end()) {
    return *known;
  }
  if (limits_.size() == kMost) {
    limits_.erase(std::min_element(limits_.begin(), limits_.end(), [](const Limit& one, const Limit& other) {
      return one.announced_at < other.announced_at;
    }));
  }
  Limit& fresh = limits_.emplace_back();
  fresh.said.name = said.name;
  fresh.said.unit = said.unit;
  fresh.said.at_once = said.at_once;
  fresh.next_at = now;
  return fresh;
}

void AnnouncedLimits::Take(const Announcement& said, MonoTime sent, MonoTime now) {
  Limit& limit = Of(said, now);
  limit.announced_at = now;
  limit.silent = 0;
  // What is not said is as it was.
  const std::optional<std::uint64_t> count = said.count ? said.count : limit.said.count;
  const std::optional<milliseconds> per = said.per ? said.per : limit.said.per;
  if (count != limit.said.count || per != limit.said.per) {
    const bool was_window = IsWindow(limit.said);
    limit.said.count = count;
    limit.said.per = per;
    limit.next_at = std::min(limit.next_at, now);  // the pace was that of the limit before
    if (IsWindow(limit.said)) {
      RateLimit window({Window{said.unit, *count, *per}});
      window.SetFactor(factor_);
      if (was_window) {
        window.TakeOver(limit.window);
      } else {
        window.Admit(Cost{1 + under_way_.requests, 0, under_way_.bytes}, now);
      }
      limit.window = std::move(window);
    }
  }
  if (said.left && sent >= limit.told_by) {
    TakeLeft(limit, said, sent, now);
  }
}

void AnnouncedLimits::TakeLeft(Limit& limit, const Announcement& said, MonoTime sent, MonoTime now) {
  const MonoTime ends = now + *said.resets;
  const bool same =
      limit.left && now < limit.ends && ends - limit.ends < kSameMoment && limit.ends - ends < kSameMoment;
  limit.ends = same ? std::min(limit.ends, ends) : ends;
  // What is under way may be counted there already, or not yet.
  limit.left = Without(*said.left, AmountOf(under_way_, said.unit));
  limit.told_by = sent;
  limit.asking = false;
  limit.capped = true;
  limit.others = true;
  if (IsWindow(limit.said)) {
    const std::uint64_t count = *limit.said.count;
    const std::uint64_t ours = Without(count, limit.window.Used(now));
    limit.capped = *said.left < ours;
    limit.others = *said.left + 1 + count / kDiffers < ours;
  }
}

void AnnouncedLimits::Note(const std::vector<Announcement>& said, MonoTime sent, MonoTime now) {
  heard_ = true;
  for (Limit& limit : limits_) {
    ++limit.silent;
  }
  for (std::size_t i = 0; i < std::min(said.size(), kMost); ++i) {
    const Announcement sensible = Sensible(said[i]);
    if (IsLimit(sensible)) {
      Take(sensible, sent, now);
    }
  }
  limits_.erase(std::remove_if(limits_.begin(), limits_.end(), [&](const Limit& limit) { return Over(limit, now); }),
                limits_.end());
}

bool AnnouncedLimits::Over(const Limit& limit, MonoTime now) {
  const nanoseconds silence = now - limit.announced_at;
  if (limit.silent >= kSilentReplies && silence >= kShortestSilence) {
    return true;
  }
  const bool ends_later = limit.left && now < limit.ends && limit.ends - limit.announced_at <= kLongestReset;
  return limit.silent > 0 && silence >= kLongestSilence && !ends_later;
}

MonoTime AnnouncedLimits::Next(const Limit& limit, const Cost& cost, MonoTime now) const {
  const std::uint64_t amount = AmountOf(cost, limit.said.unit);
  if (amount == 0 || Over(limit, now)) {
    return now;
  }
  // The reply leads here again.
  if (limit.said.at_once) {
    return under_way_.requests < *limit.said.count ? now : now + kUntilItTells;
  }
  MonoTime at = std::max(limit.next_at, limit.window.NextAdmission(cost, now));
  // More than there ever is goes when all of it is left.
  const bool all_left = limit.left && limit.said.count && *limit.left >= *limit.said.count;
  if (limit.left && limit.capped && now < limit.ends && amount > *limit.left && !all_left) {
    at = std::max(at, limit.ends);
  }
  return limit.asking && under_way_.requests > 0 ? std::max(at, now + kUntilItTells) : at;
}

MonoTime AnnouncedLimits::NextAdmission(const Cost& cost, MonoTime now) const {
  MonoTime at = awaits_first() ? now + kUntilItTells : now;
  for (const Limit& limit : limits_) {
    at = std::max(at, Next(limit, cost, now));
  }
  return std::max(now, std::min(at, admitted_at_ + kLongestWait));
}

// Until the one that comes after this one.
nanoseconds AnnouncedLimits::SpacingOf(Limit& limit, std::uint64_t amount, MonoTime now) {
  nanoseconds spacing{};
  if (IsWindow(limit.said)) {
    spacing = ShareOf(*limit.said.per, amount, *limit.said.count);
    spacing = nanoseconds(static_cast<nanoseconds::rep>(static_cast<double>(spacing.count()) / kShareOfPace));
  }
  if (limit.left && limit.others) {
    // The next window begins as the one before went on, until its first reply tells.
    limit.spacing = now < limit.ends ? ShareOf(limit.ends - now, amount, *limit.left) : limit.spacing;
    spacing = std::max(spacing, limit.spacing);
  }
  return spacing;
}

void AnnouncedLimits::Admit(const Cost& cost, MonoTime now) {
  for (Limit& limit : limits_) {
    const std::uint64_t amount = AmountOf(cost, limit.said.unit);
    if (amount == 0) {
      continue;
    }
    const nanoseconds spacing = SpacingOf(limit, amount, now);
    // The pace is kept on average where the loop comes late by less than a spacing.
    limit.next_at = std::max(limit.next_at, now - spacing / 2) + spacing;
    limit.window.Admit(cost, now);
    if (limit.left && now < limit.ends) {
      limit.left = Without(*limit.left, amount);
    } else if (limit.left) {
      limit.asking = !IsWindow(limit.said);
    }
  }
  under_way_.requests += cost.requests;
  under_way_.bytes += cost.bytes;
  admitted_at_ = now;
}

void AnnouncedLimits::Answered(const Cost& cost, MonoTime sent, bool arrived, MonoTime now) {
  under_way_.requests = Without(under_way_.requests, cost.requests);
  under_way_.bytes = Without(under_way_.bytes, cost.bytes);
  for (Limit& limit : limits_) {
    if (arrived) {
      limit.window.Arrived(sent, now);
    } else {
      limit.window.NeverArrived(cost, sent);
    }
  }
}

void AnnouncedLimits::SetFactor(double factor) {
  factor_ = factor;
  for (Limit& limit : limits_) {
    limit.window.SetFactor(factor);
  }
}

std::vector<Announcement> AnnouncedLimits::Now(MonoTime now) const {
  std::vector<Announcement> all;
  for (const Limit& limit : limits_) {
    if (Over(limit, now)) {
      continue;
    }
    Announcement& one = all.emplace_back(limit.said);
    if (limit.left && now < limit.ends) {
      one.left = limit.left;
      one.resets = std::chrono::ceil<milliseconds>(limit.ends - now);
    }
  }
  return all;
}

void AnnouncedLimits::Restore(const std::vector<Announcement>& kept, MonoTime now) {
  admitted_at_ = now;
  if (!kept.empty()) {
    Note(kept, now, now);
  }
}

void AnnouncedLimits::Forget() {
  limits_.clear();
  heard_ = false;
}

}  // namespace packhorse::limit
