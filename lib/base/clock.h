#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace packhorse {

// Wall time, UTC, microseconds: what is stored and shown. It may step in both directions.
using WallTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::microseconds>;
// CLOCK_MONOTONIC: the only clock for intervals and deadlines. Never stored.
using MonoTime = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;

// How much the gateway's wall clock could be trusted when it was read (P5, docs/PROMISES.md).
enum class ClockState : std::uint8_t {
  kSynchronized,    // the kernel reports a disciplined clock
  kRecovered,       // stamped before the first sync of a boot and corrected once by the offset learnt then
  kUnsynchronized,  // never known to be right
};

// "synchronized", "recovered", "unsynchronized".
std::string_view Name(ClockState state);

// Time as an argument: every class that needs it takes a Clock or is given `now`. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime Wall() const = 0;
  virtual MonoTime Mono() const = 0;
  // CLOCK_BOOTTIME: nanoseconds since boot, suspend included.
  virtual std::chrono::nanoseconds Boot() const = 0;
  // Whether the kernel says that the wall clock is disciplined (adjtimex, STA_UNSYNC clear), or did a tenth of a second
  // ago.
  virtual bool Synchronized() const = 0;
  // Which boot Boot() counts from: see the function below.
  virtual std::string BootId() const = 0;
};

// What the wall clock would have shown at Boot() == 0, as it goes now: changes only when the wall clock is set or
// steered, so that two of them say by how much.
WallTime WallAtBoot(const Clock& clock);

// The machine's clocks. Process-wide.
const Clock& SystemClock();

// /proc/sys/kernel/random/boot_id without the line feed; kUnknownBoot where it cannot be read.
inline constexpr std::string_view kUnknownBoot = "unknown";
std::string BootId();

// RFC 3339, UTC, `Z`, always six fraction digits: the one form that is emitted for received times.
std::string FormatUtc(WallTime time);
// Such a form to memory, with the first `digits` decimals of a second, which `fraction` is; of none there is no point.
// Returns where the next byte goes. REQUIRES: a year of 0 to 9999, at most nine digits, room for 21 bytes and those.
char* WriteUtc(char* at, std::chrono::sys_seconds time, std::uint32_t fraction, unsigned digits);
// RFC 9110 section 5.6.7 IMF-fixdate, seconds.
std::string FormatHttpDate(WallTime time);
// The preferred and both obsolete forms of RFC 9110 section 5.6.7, without a look at the day of the week; none where it
// is neither. Two digits of a year mean 1969 to 2068.
std::optional<WallTime> ParseHttpDate(std::string_view text);

}  // namespace packhorse
