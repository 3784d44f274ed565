#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "queue/segment/number_text.h"

namespace packhorse::queue::columns {

// What writing and reading a segment's columns have in common: which there are, and what a number is the difference
// from. Not thread-safe.

inline constexpr std::size_t kMaxTexts = 1'024;  // kinds of text; payloads of others stay whole
inline constexpr std::size_t kWhole =
    0;  // stands for the kind of text of a payload that stays whole; others begin at 1
inline constexpr std::int64_t kNanosPerMicro = 1'000;

// The columns that every segment has, in their order.
enum ColumnNumber : std::uint8_t {
  kOrigins,
  kOriginOf,
  kSequence,
  kReceived,
  kBoot,
  kRest,
  kTexts,
  kTextOf,
  kLength,
  kPayload
};
inline constexpr std::size_t kColumns = kPayload + 1;

// Damaged bytes may hold any numbers; adding them must stay defined.
inline std::int64_t Add(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}
inline std::int64_t Subtract(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}
inline std::int64_t Times(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
}

// The number with as many decimals as another one has: what the other one is compared with.
inline std::int64_t WithDecimals(const NumberText& number, std::uint32_t decimals) {
  std::int64_t digits = number.digits;
  for (std::uint32_t have = number.decimals(); have < decimals; ++have) {
    digits = Times(digits, 10);
  }
  for (std::uint32_t have = number.decimals(); have > decimals; --have) {
    digits /= 10;
  }
  return digits;
}

// The numbers that a kind of text had last: with this topic, else with any.
class LastNumbers {
 public:
  struct Places {
    const NumberText* before;  // or null: there are none
    NumberText* now;           // where this message's belong; may be the same place
  };
  // `count` of them. REQUIRES: a kind of text has always as many.
  Places Next(std::size_t origin, std::size_t text, std::size_t count) {
    by_text_.resize(std::max(by_text_.size(), text + 1), kNone);
    bool fresh = false;
    const std::size_t now = Find(origin, text, count, fresh);
    const std::size_t before = fresh ? by_text_[text] : now;
    by_text_[text] = now;
    return {before == kNone ? nullptr : numbers_.data() + before, numbers_.data() + now};
  }

 private:
  static constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
  struct Found {
    std::size_t text = kNone;
    std::size_t at = 0;
  };
  std::size_t Find(std::size_t origin, std::size_t text, std::size_t count, bool& fresh) {
    recent_.resize(std::max(recent_.size(), origin + 1));
    Found& recent = recent_[origin];
    if (recent.text != text) {
      const std::uint64_t key = (static_cast<std::uint64_t>(origin) << 16U) | text;
      const auto [found, added] = by_origin_.try_emplace(key, numbers_.size());
      if (added) {
        numbers_.resize(numbers_.size() + count);
      }
      fresh = added;
      recent = {text, found->second};
    }
    return recent.at;
  }

  std::vector<Found> recent_;  // by origin: most have one kind of text
  std::unordered_map<std::uint64_t, std::size_t> by_origin_;
  std::vector<std::size_t> by_text_;
  std::vector<NumberText> numbers_;
};

// Where a message comes from: what messages of a device share.
struct Origin {
  std::uint64_t stream = 0;
  unsigned flags = 0;
  std::string_view topic;

  bool operator==(const Origin&) const = default;
};

}  // namespace packhorse::queue::columns
