#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace packhorse {

// A number with twelve decimals, from -2^63 up to 2^63. Sums of it are exact: they depend neither on the order nor on
// how they are cut into parts. Plain value; any thread.
class FixedPoint {
 public:
  static constexpr std::int64_t kOne = 1'000'000'000'000;
  static constexpr int kDecimals = 12;

  FixedPoint() = default;
  explicit FixedPoint(std::int64_t whole) : whole_(whole) {}

  // As JSON writes numbers: -12.5e3. Rounded to twelve decimals, a half away from zero. None: it is no number, it is
  // longer than 400 bytes, or 10^18 or more.
  static std::optional<FixedPoint> Parse(std::string_view text);
  // Of its two parts, as whole() and trillionths() give them; none: they are none.
  static std::optional<FixedPoint> Of(std::int64_t whole, std::int64_t trillionths);

  // False, and nothing changes: the sum has no room.
  [[nodiscard]] bool Add(const FixedPoint& other);

  std::int64_t whole() const { return whole_; }  // rounded down
  std::int64_t trillionths() const { return trillionths_; }
  // As few decimals as it has: "1042.75", "-3".
  std::string ToText() const;
  double ToDouble() const;
  // How far they are from each other.
  static double Distance(const FixedPoint& a, const FixedPoint& b);

  bool operator==(const FixedPoint&) const = default;

 private:
  std::int64_t whole_ = 0;
  std::int64_t trillionths_ = 0;  // of [0, kOne)
};

}  // namespace packhorse
