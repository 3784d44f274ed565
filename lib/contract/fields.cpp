#include "contract/fields.h"

#include <algorithm>
#include <bitset>
#include <numeric>
#include <variant>
#include <vector>

namespace packhorse::contract {
namespace {

// Whether the names differ already in their lengths and ends, as most of a message do. False says nothing.
bool AllDiffer(std::span<const Field> fields) {
  constexpr unsigned kBits = 10;
  constexpr std::uint32_t kSpread = 0x9E37'79B1;  // a prime near 2^32 divided by the golden ratio
  std::bitset<std::size_t{1} << kBits> seen;
  for (const Field& field : fields) {
    const std::string_view name = field.name;
    const auto end = [](char c) { return std::uint32_t{static_cast<unsigned char>(c)}; };
    const std::uint32_t ends = name.empty() ? 0 : end(name.front()) << 8U | end(name.back());
    const std::size_t bit = ((static_cast<std::uint32_t>(name.size()) << 16U | ends) * kSpread) >> (32 - kBits);
    if (seen[bit]) {
      return false;
    }
    seen[bit] = true;
  }
  return true;
}

// A list that is written over from its beginning on.
template <typename Entry>
class Rewritten {
 public:
  explicit Rewritten(std::vector<Entry>& list) : list_(list), next_(list.data()), end_(next_ + list.size()) {}

  bool full() const { return next_ == end_; }
  void Grow(std::size_t entries) {
    const auto used = static_cast<std::size_t>(next_ - list_.data());
    list_.resize(used + entries);
    next_ = list_.data() + used;
    end_ = next_ + entries;
  }
  // REQUIRES: not full().
  Entry& Next() { return *next_++; }
  // What is left of before goes.
  void Finish() { list_.resize(static_cast<std::size_t>(next_ - list_.data())); }

 private:
  std::vector<Entry>& list_;
  Entry* next_;
  Entry* end_;
};

bool IsText(const Field& field) { return std::holds_alternative<std::string_view>(field.value); }

std::size_t Count(std::span<const Field> fields, bool text) {
  return static_cast<std::size_t>(std::count_if(
      fields.begin(), fields.end(), [text](const Field& field) { return field.leaf && IsText(field) == text; }));
}

}  // namespace

bool DropRepeated(std::span<Field> fields) {
  constexpr std::size_t kFew = 24;  // below, comparing all pairs is cheaper than sorting
  bool repeated = false;
  const auto drop = [&](Field& earlier, const Field& later) {
    repeated = true;
    earlier.leaf = earlier.leaf && !later.leaf;
  };
  if (fields.size() <= kFew) {
    if (AllDiffer(fields)) {
      return false;
    }
    for (std::size_t i = 1; i < fields.size(); ++i) {
      for (std::size_t k = 0; k < i; ++k) {
        if (fields[k].name == fields[i].name) {
          drop(fields[k], fields[i]);
        }
      }
    }
    return repeated;
  }
  std::vector<std::uint32_t> order(fields.size());
  std::iota(order.begin(), order.end(), 0U);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return fields[a].name < fields[b].name; });
  for (std::size_t i = 1; i < order.size(); ++i) {
    if (fields[order[i - 1]].name == fields[order[i]].name) {
      drop(fields[order[i - 1]], fields[order[i]]);
    }
  }
  return repeated;
}

void Distribute(std::span<const Field> fields, CanonicalRecord& record) {
  Rewritten attributes(record.attributes);
  Rewritten measurements(record.measurements);
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const Field& field = fields[i];
    if (!field.leaf) {
      continue;
    }
    if (IsText(field)) {
      if (attributes.full()) {
        attributes.Grow(Count(fields.subspan(i), true));
      }
      Attribute& attribute = attributes.Next();
      Put(field.name, attribute.name);
      format::AssignText(attribute.value, field.text());
    } else {
      if (measurements.full()) {
        measurements.Grow(Count(fields.subspan(i), false));
      }
      Measurement& measurement = measurements.Next();
      Put(field.name, measurement.name);
      format::Assign(measurement.value, field.value);
      measurement.unit.clear();
    }
  }
  attributes.Finish();
  measurements.Finish();
}

}  // namespace packhorse::contract
