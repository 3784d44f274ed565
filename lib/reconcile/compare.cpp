#include "reconcile/compare.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace packhorse::reconcile {
namespace {

using queue::DeliveredHour;
using Hours = std::map<StreamHour, DeliveredHour>;

Hours ByKey(const DeliveredHours& all) {
  Hours hours;
  for (const DeliveredHour& hour : all.hours) {
    hours.emplace(hour.of, hour);
  }
  return hours;
}

DeliveredHour At(const Hours& hours, const StreamHour& of) {
  const auto found = hours.find(of);
  return found == hours.end() ? DeliveredHour{of} : found->second;
}

bool Same(const DeliveredHour& a, const DeliveredHour& b) {
  return a.records == b.records && a.hashed == b.hashed && a.id_hash == b.id_hash && a.replayed == b.replayed &&
         a.refused == b.refused && a.set_aside == b.set_aside && a.sums == b.sums;
}

bool CountsMayBeMissing(const DeliveredHours& ours, std::int32_t hour) {
  return !ours.first_hour || hour <= *ours.first_hour ||
         std::any_of(ours.forgotten.begin(), ours.forgotten.end(),
                     [&](const queue::ForgottenHours& each) { return hour >= each.first && hour <= each.last; });
}

// Why the cloud may have so many more.
bool Explained(const DeliveredHours& all, const DeliveredHour& ours, std::uint64_t more) {
  return more <= ours.replayed + ours.refused + ours.set_aside || CountsMayBeMissing(all, ours.of.hour);
}

bool SameSum(const FixedPoint& ours, const FixedPoint& theirs, std::uint64_t records) {
  constexpr double kShare = 1e-9;
  return FixedPoint::Distance(ours, theirs) <=
         kShare * std::max(std::abs(ours.ToDouble()), static_cast<double>(records));
}

std::vector<Difference::Sum> OtherSums(const DeliveredHour& ours, const CloudCount& theirs) {
  std::vector<Difference::Sum> others;
  for (const auto& [measurement, have] : ours.sums) {
    const auto found = theirs.sums.find(measurement);
    if (found != theirs.sums.end() && have.records == ours.records && !SameSum(have.sum, found->second, ours.records)) {
      others.push_back({measurement, have.sum, found->second});
    }
  }
  return others;
}

}  // namespace

Comparison Compare(const OurSide& ours, const CloudHours& theirs, std::int32_t first, std::int32_t end) {
  const Hours before = ByKey(ours.before);
  const Hours after = ByKey(ours.after);
  std::set<StreamHour> keys;
  std::set<std::string> known;
  for (const auto& [of, hour] : after) {
    keys.insert(of);
    known.insert(of.stream);
  }
  for (const StreamHour& of : ours.in_batches) {
    known.insert(of.stream);
  }
  for (const auto& [of, count] : theirs) {
    keys.insert(of);
  }
  Comparison result;
  for (const StreamHour& of : keys) {
    if (of.hour < first || of.hour >= end) {
      continue;
    }
    const DeliveredHour have = At(after, of);
    const auto found = theirs.find(of);
    const CloudCount cloud = found == theirs.end() ? CloudCount{} : found->second;
    if (!known.contains(of.stream)) {
      result.foreign.insert(of.stream);
    } else if (ours.in_batches.contains(of) || !Same(At(before, of), have)) {
      result.unsure.insert(of);
    } else if (cloud.records < have.records) {
      result.differences.push_back({of, have.records, cloud.records, Difference::What::kMissing});
    } else if (cloud.records > have.records && Explained(ours.after, have, cloud.records - have.records)) {
      ++result.explained;
    } else if (cloud.records > have.records) {
      result.differences.push_back({of, have.records, cloud.records, Difference::What::kExtra});
    } else if (cloud.id_hash && have.hashed == have.records && *cloud.id_hash != have.id_hash) {
      result.differences.push_back({of, have.records, cloud.records, Difference::What::kOther});
    } else if (std::vector<Difference::Sum> sums = OtherSums(have, cloud); !sums.empty()) {
      result.differences.push_back({of, have.records, cloud.records, Difference::What::kSum, std::move(sums)});
    } else {
      ++result.equal;
    }
  }
  return result;
}

}  // namespace packhorse::reconcile
