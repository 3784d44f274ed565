#include "contract/device_time.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <limits>
#include <system_error>
#include <utility>

#include "base/text.h"
#include "format/json/plain.h"

namespace packhorse::contract {
namespace {

constexpr std::int64_t kMinuteSeconds = 60;
constexpr std::int64_t kHourSeconds = 3600;
constexpr std::int64_t kDaySeconds = 86'400;
constexpr std::int64_t kYear1 = -62'135'596'800;      // 0001-01-01T00:00:00Z, which several languages use for "no time"
constexpr std::int64_t kYear10000 = 253'402'300'800;  // 10000-01-01T00:00:00Z, where RFC 3339 ends
constexpr std::size_t kMaxTimeBytes = 64;             // a longer text is no time

bool EqualIgnoringCase(std::string_view text, std::string_view lower) {
  return text.size() == lower.size() &&
         std::equal(text.begin(), text.end(), lower.begin(), [](char a, char b) { return Lower(a) == b; });
}

// Reads exactly `digits` decimal digits off the front of `text`.
bool TakeNumber(std::string_view& text, std::size_t digits, unsigned* out) {
  if (text.size() < digits) {
    return false;
  }
  *out = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    if (!IsDigit(text[i])) {
      return false;
    }
    *out = *out * 10 + static_cast<unsigned>(text[i] - '0');
  }
  text.remove_prefix(digits);
  return true;
}

bool TakeChar(std::string_view& text, char a, char b) {
  if (text.empty() || (text.front() != a && text.front() != b)) {
    return false;
  }
  text.remove_prefix(1);
  return true;
}

// "Z", "+05:30", "-0800"; RFC 3339 section 4.3: "-00:00" is UTC with the local offset unknown.
bool TakeOffset(std::string_view& text, std::int64_t* seconds) {
  *seconds = 0;
  if (TakeChar(text, 'Z', 'z')) {
    return true;
  }
  const bool west = text.substr(0, 1) == "-";
  unsigned hours = 0;
  unsigned minutes = 0;
  if (!TakeChar(text, '+', '-') || !TakeNumber(text, 2, &hours)) {
    return false;
  }
  TakeChar(text, ':', ':');
  if (!TakeNumber(text, 2, &minutes) || hours > 23 || minutes > 59) {
    return false;
  }
  *seconds = (west ? -1 : 1) * (hours * kHourSeconds + minutes * kMinuteSeconds);
  return true;
}

bool TakeFraction(std::string_view& text, std::uint32_t* nanos) {
  *nanos = 0;
  if (!TakeChar(text, '.', '.')) {
    return true;
  }
  std::uint32_t scale = 100'000'000;
  std::size_t digits = 0;
  for (; digits < text.size() && IsDigit(text[digits]); ++digits, scale /= 10) {
    *nanos += static_cast<std::uint32_t>(text[digits] - '0') * scale;
  }
  text.remove_prefix(digits);
  return digits > 0;
}

// Leap seconds have only ever been put at the end of June and December, UTC (RFC 3339 appendix D).
bool LeapSecondPossible(std::int64_t next_minute) {
  if (next_minute % kDaySeconds != 0) {
    return false;
  }
  const std::chrono::year_month_day day(std::chrono::sys_days(std::chrono::days(next_minute / kDaySeconds)));
  const bool month = day.month() == std::chrono::July || day.month() == std::chrono::January;
  return month && day.day() == std::chrono::day(1);
}

// The significant digits of a decimal number and where its point stands in them.
struct Decimal {
  std::string digits;
  std::int64_t point = 0;  // digits before the decimal point; may be negative or beyond the digits
  bool negative = false;
};

std::optional<Decimal> ParseDecimal(std::string_view number) {
  constexpr std::size_t kMaxDigits = 40;
  Decimal decimal;
  bool after_point = false;
  decimal.negative = number.substr(0, 1) == "-";
  number.remove_prefix(decimal.negative ? 1 : 0);
  if (number.empty() || !IsDigit(number.front())) {
    return std::nullopt;
  }
  std::size_t i = 0;
  for (; i < number.size() && number[i] != 'e' && number[i] != 'E'; ++i) {
    if (number[i] == '.' && !after_point) {
      after_point = true;
      continue;
    }
    if (!IsDigit(number[i]) || decimal.digits.size() > kMaxDigits) {
      return std::nullopt;
    }
    const bool leading_zero = decimal.digits.empty() && number[i] == '0';
    if (!leading_zero) {
      decimal.digits += number[i];
    }
    decimal.point += after_point ? (leading_zero ? -1 : 0) : (leading_zero ? 0 : 1);
  }
  if (i < number.size()) {
    const char* first = number.data() + i + (i + 1 < number.size() && number[i + 1] == '+' ? 2 : 1);
    const char* last = number.data() + number.size();
    int exponent = 0;
    const auto read = std::from_chars(first, last, exponent);
    if (read.ec != std::errc{} || read.ptr != last) {
      return std::nullopt;
    }
    decimal.point += exponent;
  }
  return decimal;
}

// At least 10^8, on either side of zero.
bool MayBeEpoch(const Decimal& decimal) { return !decimal.digits.empty() && decimal.point >= 9; }

int UnitDigits(EpochUnit unit) {
  switch (unit) {
    case EpochUnit::kAuto:
    case EpochUnit::kSeconds:
      return 0;
    case EpochUnit::kMilliseconds:
      return 3;
    case EpochUnit::kMicroseconds:
      return 6;
    case EpochUnit::kNanoseconds:
      return 9;
  }
  return 0;
}

// conventions of the field: 10^8..10^11 seconds (1973 to 5138), then milliseconds, microseconds, nanoseconds.
EpochUnit UnitByMagnitude(std::int64_t digits_before_point) {
  if (digits_before_point <= 11) {
    return EpochUnit::kSeconds;
  }
  if (digits_before_point <= 14) {
    return EpochUnit::kMilliseconds;
  }
  return digits_before_point <= 17 ? EpochUnit::kMicroseconds : EpochUnit::kNanoseconds;
}

int Rank(TimeQuality quality) {
  switch (quality) {
    case TimeQuality::kOk:
    case TimeQuality::kLate:
      return 7;
    case TimeQuality::kFuture:
      return 6;
    case TimeQuality::kAmbiguous:
    case TimeQuality::kNoZone:
      return 5;
    case TimeQuality::kImplausible:
      return 4;
    case TimeQuality::kUnsynced:
      return 3;
    case TimeQuality::kUnparsed:
      return 2;
    case TimeQuality::kAbsent:
      return 0;
  }
  return 0;
}

TimeVerdict Verdict(const TimeField& field, std::string_view raw, TimeQuality quality) {
  // A weak name is believed only when its value is a moment of our days.
  if (field.weak && Rank(quality) < Rank(TimeQuality::kNoZone)) {
    return {};
  }
  TimeVerdict verdict;
  verdict.raw = raw;
  verdict.source = field.source;
  verdict.quality = quality;
  verdict.rank = Rank(quality);
  verdict.consumed = true;
  return verdict;
}

}  // namespace

WallTime ToWall(const Instant& instant) {
  return WallTime(std::chrono::seconds(instant.seconds) + std::chrono::microseconds(instant.nanos / 1000));
}

bool HasFourDigitYear(const Instant& instant) { return instant.seconds >= kYear1 && instant.seconds < kYear10000; }

void AppendRfc3339(std::string& out, const Instant& instant) {
  constexpr std::size_t kSecondAt = 17;
  const std::int64_t shown = instant.seconds - (instant.leap ? 1 : 0);
  std::uint32_t fraction = instant.nanos;
  unsigned digits = fraction == 0 ? 0 : 9;
  for (; digits > 0 && fraction % 1000 == 0; digits -= 3) {
    fraction /= 1000;
  }
  std::array<char, 30> text{};
  char* const end = WriteUtc(text.data(), std::chrono::sys_seconds(std::chrono::seconds(shown)), fraction, digits);
  if (instant.leap) {
    text[kSecondAt] = '6';
    text[kSecondAt + 1] = '0';
  }
  out.append(text.data(), static_cast<std::size_t>(end - text.data()));
}

namespace {

// Of digits alone, as devices count their time: none where the long way has to look. `number` has no leading zero.
std::optional<Instant> ParseWhole(std::string_view number, EpochUnit unit) {
  constexpr std::size_t kMostDigits = 18;
  static constexpr std::array<std::uint32_t, 10> kPowers = {1,       10,        100,        1'000,       10'000,
                                                            100'000, 1'000'000, 10'000'000, 100'000'000, 1'000'000'000};
  std::uint64_t value = 0;
  if (number.empty() || number.size() > kMostDigits || number.front() == '0' || !format::ReadDigits(number, value)) {
    return std::nullopt;
  }
  if (unit == EpochUnit::kAuto) {
    unit = UnitByMagnitude(static_cast<std::int64_t>(number.size()));
  }
  const auto decimals = static_cast<std::size_t>(UnitDigits(unit));
  const std::uint64_t seconds = value / kPowers.at(decimals);
  constexpr std::uint64_t kMostSeconds = 999'999'999'999'999;
  if (seconds > kMostSeconds) {
    return std::nullopt;
  }
  const auto rest = static_cast<std::uint32_t>(value % kPowers.at(decimals));
  return Instant{static_cast<std::int64_t>(seconds), rest * kPowers.at(9 - decimals), false};
}

}  // namespace

std::optional<Instant> ParseEpoch(std::string_view number, EpochUnit unit) {
  if (number.size() >= 9) {  // fewer digits are no epoch
    if (const auto whole = ParseWhole(number, unit)) {
      return whole;
    }
  }
  const auto decimal = ParseDecimal(number);
  if (!decimal || (decimal->negative && !decimal->digits.empty())) {
    return std::nullopt;
  }
  if (unit == EpochUnit::kAuto) {
    if (!MayBeEpoch(*decimal)) {
      return std::nullopt;
    }
    unit = UnitByMagnitude(decimal->point);
  }
  constexpr std::int64_t kMaxSecondDigits = 15;
  const std::int64_t point = decimal->digits.empty() ? 0 : decimal->point - UnitDigits(unit);
  if (point > kMaxSecondDigits) {
    return std::nullopt;
  }
  const auto digit = [&](std::int64_t i) {
    const bool inside = i >= 0 && i < static_cast<std::int64_t>(decimal->digits.size());
    return inside ? decimal->digits[static_cast<std::size_t>(i)] - '0' : 0;
  };
  Instant instant;
  for (std::int64_t i = 0; i < point; ++i) {
    instant.seconds = instant.seconds * 10 + digit(i);
  }
  for (std::int64_t i = point; i < point + 9; ++i) {
    instant.nanos = instant.nanos * 10 + static_cast<std::uint32_t>(digit(i));
  }
  return instant;
}

std::optional<DateTime> ParseDateTime(std::string_view text) {
  unsigned year = 0;
  unsigned month = 0;
  unsigned day = 0;
  unsigned hour = 0;
  unsigned minute = 0;
  unsigned second = 0;
  const bool date_read = TakeNumber(text, 4, &year) && TakeChar(text, '-', '-') && TakeNumber(text, 2, &month) &&
                         TakeChar(text, '-', '-') && TakeNumber(text, 2, &day) &&
                         (TakeChar(text, 'T', 't') || TakeChar(text, ' ', ' '));
  const bool time_read = date_read && TakeNumber(text, 2, &hour) && TakeChar(text, ':', ':') &&
                         TakeNumber(text, 2, &minute) && TakeChar(text, ':', ':') && TakeNumber(text, 2, &second);
  DateTime result;
  if (!time_read || hour > 23 || minute > 59 || second > 60 || !TakeFraction(text, &result.instant.nanos)) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(year)), std::chrono::month(month),
                                         std::chrono::day(day)};
  if (!date.ok() || year == 0) {
    return std::nullopt;
  }
  std::int64_t offset = 0;
  result.has_zone = !text.empty();
  if (result.has_zone && (!TakeOffset(text, &offset) || !text.empty())) {
    return std::nullopt;
  }
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  result.instant.seconds = days * kDaySeconds + hour * kHourSeconds + minute * kMinuteSeconds + second - offset;
  result.instant.leap = second == 60;
  if (result.instant.leap && result.has_zone && !LeapSecondPossible(result.instant.seconds)) {
    return std::nullopt;
  }
  return result;
}

void Show(const TimeVerdict& verdict, DeviceTime& time) {
  time.value.clear();
  if (verdict.shown) {
    AppendRfc3339(time.value, *verdict.shown);
  }
  time.raw = verdict.raw;
  time.source = verdict.source;
  time.quality = verdict.quality;
  time.skew_ms = verdict.skew_ms;
}

TimeRecogniser::TimeRecogniser(TimeRules rules) : rules_(std::move(rules)) {
  for (std::size_t i = 0; i < rules_.fields.size(); ++i) {
    std::string& name = rules_.fields[i].name;
    name = Lower(name);
    if (by_length_.size() <= name.size()) {
      by_length_.resize(name.size() + 1);
    }
    by_length_[name.size()].push_back(static_cast<std::uint16_t>(i));
    if (!name.empty()) {
      marks_[PlaceOf(name)] |= Mark(name);
    }
  }
}

const TimeField* TimeRecogniser::Look(std::string_view name) const {
  if (name.size() >= by_length_.size()) {
    return nullptr;
  }
  for (const std::uint16_t index : by_length_[name.size()]) {
    if (EqualIgnoringCase(name, rules_.fields[index].name)) {
      return &rules_.fields[index];
    }
  }
  return nullptr;
}

// A gateway whose own clock was never set cannot call a device early or late.
bool TimeRecogniser::CanJudge(WallTime received) const {
  return std::chrono::floor<std::chrono::seconds>(received).time_since_epoch().count() >= rules_.not_before;
}

void TimeRecogniser::ShowValue(const Instant& instant, WallTime received, TimeVerdict& verdict) const {
  if (!HasFourDigitYear(instant)) {
    return;
  }
  verdict.shown = instant;
  if (CanJudge(received)) {
    verdict.skew_ms = std::chrono::duration_cast<std::chrono::milliseconds>(ToWall(instant) - received).count();
  }
}

TimeQuality TimeRecogniser::Place(const Instant& instant, WallTime received) const {
  if (instant.seconds < rules_.not_before) {
    const bool unset = std::any_of(rules_.unset_clocks.begin(), rules_.unset_clocks.end(), [&](std::int64_t start) {
      return instant.seconds >= start && instant.seconds - start < rules_.unset_span.count();
    });
    return unset ? TimeQuality::kUnsynced : TimeQuality::kImplausible;
  }
  if (!HasFourDigitYear(instant)) {
    return TimeQuality::kImplausible;
  }
  if (!CanJudge(received)) {
    return TimeQuality::kOk;
  }
  const auto ahead = ToWall(instant) - received;
  if (ahead > rules_.future_after) {
    return TimeQuality::kFuture;
  }
  return ahead < -rules_.late_after && !instant.leap ? TimeQuality::kLate : TimeQuality::kOk;
}

// A number that misses in the unit of its field and fits in another one: seconds in a milliseconds field is the
// classic.
bool TimeRecogniser::UnitMistaken(const TimeField& field, std::string_view number, WallTime received) const {
  const auto guess = field.unit == EpochUnit::kAuto ? std::nullopt : ParseEpoch(number, EpochUnit::kAuto);
  return guess && Rank(Place(*guess, received)) == Rank(TimeQuality::kOk);
}

TimeVerdict TimeRecogniser::JudgeEpoch(const TimeField& field, std::string_view number, std::string_view raw,
                                       WallTime received) const {
  const auto instant = ParseEpoch(number, field.unit);
  if (!instant) {
    const auto decimal = ParseDecimal(number);
    const bool large = decimal && MayBeEpoch(*decimal);
    TimeVerdict verdict = Verdict(field, raw, large ? TimeQuality::kImplausible : TimeQuality::kUnsynced);
    verdict.consumed = large && verdict.consumed;  // a small number may be a reading as well: it stays one
    return verdict;
  }
  TimeQuality quality = Place(*instant, received);
  if ((quality == TimeQuality::kUnsynced || quality == TimeQuality::kImplausible) &&
      UnitMistaken(field, number, received)) {
    quality = TimeQuality::kImplausible;
  }
  TimeVerdict verdict = Verdict(field, raw, quality);
  verdict.consumed = verdict.consumed && quality != TimeQuality::kUnsynced;
  if (verdict.consumed) {
    ShowValue(*instant, received, verdict);
  }
  return verdict;
}

TimeVerdict TimeRecogniser::JudgeNumber(const TimeField& field, std::string_view number, WallTime received) const {
  return number.size() > kMaxTimeBytes ? TimeVerdict{} : JudgeEpoch(field, number, number, received);
}

TimeVerdict TimeRecogniser::JudgeText(const TimeField& field, std::string_view text, WallTime received) const {
  constexpr std::string_view kBlank = " \t\r\n";
  std::string_view trimmed = text.substr(std::min(text.find_first_not_of(kBlank), text.size()));
  trimmed = trimmed.substr(0, trimmed.find_last_not_of(kBlank) + 1);
  if (trimmed.empty() || text.size() > kMaxTimeBytes) {
    return {};
  }
  if (ParseDecimal(trimmed)) {
    return JudgeEpoch(field, trimmed, text, received);
  }
  const auto parsed = ParseDateTime(trimmed);
  if (!parsed) {
    return Verdict(field, text, TimeQuality::kUnparsed);
  }
  if (std::abs(parsed->instant.seconds - kYear1) < kDaySeconds) {  // "no time", in whatever zone
    return {};
  }
  TimeQuality quality = Place(parsed->instant, received);
  if (!parsed->has_zone && quality != TimeQuality::kUnsynced && quality != TimeQuality::kImplausible) {
    quality = TimeQuality::kNoZone;
  }
  TimeVerdict verdict = Verdict(field, text, quality);
  if (verdict.consumed && parsed->has_zone && quality != TimeQuality::kUnsynced) {
    ShowValue(parsed->instant, received, verdict);
  }
  return verdict;
}

}  // namespace packhorse::contract
