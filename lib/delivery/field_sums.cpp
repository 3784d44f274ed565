#include "delivery/field_sums.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>
#include <variant>

#include "base/fixed_point.h"
#include "delivery/id_hashes.h"
#include "record/canonical_record.h"

namespace packhorse::delivery {
namespace {

template <typename Number>
std::optional<FixedPoint> Exactly(Number number) {
  std::array<char, 32> text{};
  const char* end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  return FixedPoint::Parse(std::string_view(text.data(), static_cast<std::size_t>(end - text.data())));
}

// None: it is a number that has no room in a sum.
std::optional<FixedPoint> NumberOf(const Value& value) {
  if (const auto* whole = std::get_if<std::int64_t>(&value)) {
    return Exactly(*whole);
  }
  if (const auto* large = std::get_if<std::uint64_t>(&value)) {
    return Exactly(*large);
  }
  if (const auto* real = std::get_if<double>(&value)) {
    return Exactly(*real);
  }
  return FixedPoint();
}

std::optional<FixedPoint> NumberOf(const CanonicalRecord& record, const std::string& measurement) {
  const auto found = std::find_if(record.measurements.begin(), record.measurements.end(),
                                  [&](const Measurement& each) { return each.name == measurement; });
  return found == record.measurements.end() ? FixedPoint() : NumberOf(found->value);
}

queue::FieldSum& At(std::vector<queue::FieldSum>& sums, const queue::Member& member, const std::string& measurement) {
  const auto found = std::find_if(sums.begin(), sums.end(), [&](const queue::FieldSum& each) {
    return each.stream == member.stream && each.received_hour == member.received_hour && each.name == measurement;
  });
  return found != sums.end() ? *found
                             : sums.emplace_back(queue::FieldSum{member.stream, member.received_hour, measurement, 0});
}

}  // namespace

std::vector<queue::FieldSum> FieldSumsOf(const queue::PreparedBatch& batch, const queue::Settlement& settlement,
                                         const std::vector<std::string>& measurements, const BatchBuilder& builder) {
  std::vector<queue::FieldSum> sums;
  if (measurements.empty() || batch.replayed) {
    return sums;
  }
  const RecordSet others = NotDelivered(settlement);
  for (const queue::Member& member : batch.members) {
    const Result<std::vector<CanonicalRecord>> records = builder.RecordsOf(batch.lane, member);
    for (std::uint32_t i = 0; records && i < member.records; ++i) {
      if (others.contains({member.sequence, member.first_record + i})) {
        continue;
      }
      for (const std::string& measurement : measurements) {
        const std::optional<FixedPoint> number = NumberOf(records->at(i), measurement);
        queue::FieldSum& sum = At(sums, member, measurement);
        if (number && sum.sum.Add(*number)) {
          ++sum.records;
        }
      }
    }
  }
  return sums;
}

}  // namespace packhorse::delivery
