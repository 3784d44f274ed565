#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "record/canonical_record.h"

namespace packhorse::contract {

// Recognises the device's own time in a message and judges it (docs: contracts/README.md, "Device time"). Nothing is
// ever corrected: what was sent stays in `raw`, what it means in `value`, and how far to believe it in `quality`.

// A moment, UTC, nanoseconds.
struct Instant {
  std::int64_t seconds = 0;  // since 1970-01-01T00:00:00Z, without leap seconds
  std::uint32_t nanos = 0;
  bool leap = false;  // written as second 60; `seconds` is then the start of the next minute
};

WallTime ToWall(const Instant& instant);

// Appends the RFC 3339 form in UTC with `Z` and the shortest of 0, 3, 6 or 9 fraction digits that keeps every digit.
// REQUIRES: the year is within 0001 and 9999.
void AppendRfc3339(std::string& out, const Instant& instant);
bool HasFourDigitYear(const Instant& instant);

enum class EpochUnit : std::uint8_t {
  kAuto,  // by magnitude: below 10^8 no epoch, then seconds, from 10^11 milliseconds, from 10^14 microseconds, from
          // 10^17 ns
  kSeconds,
  kMilliseconds,
  kMicroseconds,
  kNanoseconds,
};

// Reads a decimal number (JSON's grammar) as an epoch, exactly: no double is involved. None when it is negative, is no
// number, does not fit, or, with kAuto, is below 10^8.
std::optional<Instant> ParseEpoch(std::string_view number, EpochUnit unit);

// A date and time as RFC 3339 section 5.6 writes it; tolerated on input: lower-case t and z, a space as separator, an
// offset without its colon, no offset at all. Hour 24 is none. Second 60 only where a leap second can be: 23:59 UTC on
// the last day of June or December. More than nine fraction digits are cut.
struct DateTime {
  Instant instant;  // without an offset: as if it were UTC
  bool has_zone = false;
};
std::optional<DateTime> ParseDateTime(std::string_view text);

// A field name under which device time is looked for.
struct TimeField {
  std::string name;  // compared without regard to ASCII case
  EpochUnit unit = EpochUnit::kAuto;
  TimeSource source = TimeSource::kDevice;
  // The name has other common meanings: taken only when its value is a moment that can be believed.
  bool weak = false;
};

struct TimeRules {
  std::vector<TimeField> fields;  // best first
  std::chrono::seconds late_after{};
  std::chrono::seconds future_after{};
  std::int64_t not_before = 0;  // epoch seconds; nothing older is believed
  // Where clocks start that were never set, and for how long after such a moment a time still counts as not set.
  std::vector<std::int64_t> unset_clocks;
  std::chrono::seconds unset_span{};
};

// What one field says; `raw` is its text. Cheap to copy: of several fields one is shown.
struct TimeVerdict {
  std::string_view raw;
  std::optional<Instant> shown;  // where it could be placed
  TimeSource source = TimeSource::kNone;
  TimeQuality quality = TimeQuality::kAbsent;
  std::optional<std::int64_t> skew_ms;
  int rank = 0;  // 0: no time at all; of several candidates the highest rank counts, then the order of the names
  bool consumed = false;  // the field is fully told by `time` and need not be shown as a value again
};

// In the memory of the texts that `time` has.
void Show(const TimeVerdict& verdict, DeviceTime& time);

// Immutable after construction; any thread.
class TimeRecogniser {
 public:
  explicit TimeRecogniser(TimeRules rules);

  // The rule for a field of this name; null for any other field. Lower addresses are better names.
  const TimeField* Find(std::string_view name) const {
    return !name.empty() && (marks_[PlaceOf(name)] & Mark(name)) != 0 ? Look(name) : nullptr;
  }
  TimeVerdict JudgeNumber(const TimeField& field, std::string_view number, WallTime received) const;
  TimeVerdict JudgeText(const TimeField& field, std::string_view text, WallTime received) const;

 private:
  // One of 64 bits for the ends of a name; the same for both cases of a letter. REQUIRES: not empty.
  static std::uint64_t Mark(std::string_view name) {
    const auto letter = [](char c) { return static_cast<unsigned char>(c) & 31U; };
    return std::uint64_t{1} << (letter(name.front()) ^ letter(name.back()) << 1U);
  }
  static std::size_t PlaceOf(std::string_view name) { return std::min(name.size(), kMarks - 1); }
  const TimeField* Look(std::string_view name) const;
  TimeVerdict JudgeEpoch(const TimeField& field, std::string_view number, std::string_view raw,
                         WallTime received) const;
  bool CanJudge(WallTime received) const;
  void ShowValue(const Instant& instant, WallTime received, TimeVerdict& verdict) const;
  TimeQuality Place(const Instant& instant, WallTime received) const;
  bool UnitMistaken(const TimeField& field, std::string_view number, WallTime received) const;

  TimeRules rules_;
  std::vector<std::vector<std::uint16_t>> by_length_;  // indices into rules_.fields, by the lengths of their names
  // Mark() of the names, by their lengths, those of long ones in the last: most of a message are none.
  static constexpr std::size_t kMarks = 32;
  std::array<std::uint64_t, kMarks> marks_{};
};

}  // namespace packhorse::contract
