#include "base/clock.h"

#include <sys/timex.h>

#include <array>
#include <atomic>
#include <clocale>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>

#include "base/text.h"

namespace packhorse {
namespace {

std::chrono::nanoseconds Read(clockid_t id) {
  timespec ts{};
  clock_gettime(id, &ts);
  return std::chrono::seconds(ts.tv_sec) + std::chrono::nanoseconds(ts.tv_nsec);
}

// Asking the kernel whether its clock is disciplined costs as much as storing a message, and it changes its mind within
// seconds: the answer is good for this long.
constexpr auto kDisciplineHolds = std::chrono::milliseconds(100);

bool KernelClockDisciplined() {
  timex query{};
  const int state = adjtimex(&query);
  return state >= 0 && state != TIME_ERROR && (static_cast<unsigned>(query.status) & STA_UNSYNC) == 0U;
}

class RealClock final : public Clock {
 public:
  WallTime Wall() const override {
    return WallTime(std::chrono::duration_cast<std::chrono::microseconds>(Read(CLOCK_REALTIME)));
  }
  MonoTime Mono() const override { return MonoTime(Read(CLOCK_MONOTONIC)); }
  std::chrono::nanoseconds Boot() const override { return Read(CLOCK_BOOTTIME); }
  bool Synchronized() const override {
    const std::int64_t now = Mono().time_since_epoch().count();
    if (now >= ask_again_.load(std::memory_order_acquire)) {
      disciplined_.store(KernelClockDisciplined(), std::memory_order_relaxed);
      ask_again_.store(now + std::chrono::nanoseconds(kDisciplineHolds).count(), std::memory_order_release);
    }
    return disciplined_.load(std::memory_order_relaxed);
  }
  std::string BootId() const override { return packhorse::BootId(); }

 private:
  mutable std::atomic<std::int64_t> ask_again_{0};  // nanoseconds of Mono()
  mutable std::atomic<bool> disciplined_{false};
};

// "00" to "99".
constexpr std::array<char, 200> MakeTwoDigits() {
  std::array<char, 200> digits{};
  for (std::size_t i = 0; i < 100; ++i) {
    digits[2 * i] = static_cast<char>('0' + i / 10);
    digits[2 * i + 1] = static_cast<char>('0' + i % 10);
  }
  return digits;
}
constexpr std::array<char, 200> kTwoDigits = MakeTwoDigits();

struct Fields {
  std::chrono::year_month_day date;
  std::chrono::hh_mm_ss<std::chrono::microseconds> time;
  std::chrono::weekday weekday;
};

Fields Split(WallTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  return Fields{std::chrono::year_month_day(day), std::chrono::hh_mm_ss<std::chrono::microseconds>(time - day),
                std::chrono::weekday(day)};
}

// RFC 9110 section 5.6.7, behind the name of the day. The C library reads them, not libcurl (curl_getdate): on armhf
// its time_t has 32 bits and ours 64. Each form has as many bytes, which keeps out what strptime takes as well.
struct DateForm {
  const char* format;
  std::size_t bytes;
};
constexpr std::array<DateForm, 4> kDateForms = {{
    {"%d %b %Y %H:%M:%S GMT", std::string_view("06 Nov 1994 08:49:37 GMT").size()},
    {"%d %b %Y %H:%M:%S UTC", std::string_view("06 Nov 1994 08:49:37 UTC").size()},  // in no RFC, but met
    {"%d-%b-%y %H:%M:%S GMT", std::string_view("06-Nov-94 08:49:37 GMT").size()},
    {"%b %d %H:%M:%S %Y", std::string_view("Nov  6 08:49:37 1994").size()},
}};
constexpr std::size_t kMaxDateBytes = 64;

// The names of the months are English ones, whatever the locale.
locale_t PosixLocale() {
  static const locale_t locale = newlocale(LC_ALL_MASK, "C", nullptr);
  return locale;
}

// strptime takes a day that the month does not have, and 61 seconds.
std::optional<WallTime> AsTime(const std::tm& utc) {
  const std::chrono::year_month_day date(std::chrono::year(utc.tm_year + 1900),
                                         std::chrono::month(static_cast<unsigned>(utc.tm_mon + 1)),
                                         std::chrono::day(static_cast<unsigned>(utc.tm_mday)));
  if (!date.ok() || utc.tm_sec > 60) {
    return std::nullopt;
  }
  return WallTime(std::chrono::sys_days(date)) + std::chrono::hours(utc.tm_hour) + std::chrono::minutes(utc.tm_min) +
         std::chrono::seconds(utc.tm_sec);
}

}  // namespace

std::string_view Name(ClockState state) {
  switch (state) {
    case ClockState::kSynchronized:
      return "synchronized";
    case ClockState::kRecovered:
      return "recovered";
    case ClockState::kUnsynchronized:
      return "unsynchronized";
  }
  return "unsynchronized";
}

const Clock& SystemClock() {
  static const RealClock clock;
  return clock;
}

WallTime WallAtBoot(const Clock& clock) {
  // The two clocks cannot be read at once. Whoever is interrupted in between tries again.
  constexpr auto kClose = std::chrono::microseconds(50);
  constexpr int kTries = 10;
  WallTime best{};
  auto shortest = std::chrono::nanoseconds::max();
  for (int i = 0; i < kTries && shortest > kClose; ++i) {
    const std::chrono::nanoseconds before = clock.Boot();
    const WallTime wall = clock.Wall();
    const std::chrono::nanoseconds took = clock.Boot() - before;
    if (took < shortest) {
      shortest = took;
      best = wall - std::chrono::duration_cast<std::chrono::microseconds>(before + took / 2);
    }
  }
  return best;
}

std::string BootId() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  if (!std::getline(file, id) || id.empty()) {
    return std::string(kUnknownBoot);
  }
  return id;
}

std::string FormatUtc(WallTime time) {
  const Fields f = Split(time);
  std::array<char, 64> text{};
  const int n =
      std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ", static_cast<int>(f.date.year()),
                    static_cast<unsigned>(f.date.month()), static_cast<unsigned>(f.date.day()),
                    static_cast<int>(f.time.hours().count()), static_cast<int>(f.time.minutes().count()),
                    static_cast<int>(f.time.seconds().count()), static_cast<int>(f.time.subseconds().count()));
  return {text.data(), static_cast<std::size_t>(n)};
}

char* WriteUtc(char* at, std::chrono::sys_seconds time, std::uint32_t fraction, unsigned digits) {
  const auto put = [&at](unsigned two, char after) {
    std::memcpy(at, &kTwoDigits[std::size_t{2} * two], 2);
    at[2] = after;
    at += 3;
  };
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const auto year = static_cast<unsigned>(static_cast<int>(date.year()));
  const auto in_day = static_cast<unsigned>((time - day).count());
  std::memcpy(at, &kTwoDigits[std::size_t{2} * (year / 100)], 2);
  at += 2;
  put(year % 100, '-');
  put(static_cast<unsigned>(date.month()), '-');
  put(static_cast<unsigned>(date.day()), 'T');
  put(in_day / 3600, ':');
  put(in_day / 60 % 60, ':');
  put(in_day % 60, digits == 0 ? 'Z' : '.');
  if (digits == 0) {
    return at;
  }
  for (unsigned i = digits; i > 0; --i) {
    at[i - 1] = static_cast<char>('0' + fraction % 10);
    fraction /= 10;
  }
  at[digits] = 'Z';
  return at + digits + 1;
}

std::string FormatHttpDate(WallTime time) {
  static constexpr std::array<const char*, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const Fields f = Split(time);
  std::array<char, 64> text{};
  const int n =
      std::snprintf(text.data(), text.size(), "%s, %02u %s %04d %02d:%02d:%02d GMT", kDays.at(f.weekday.c_encoding()),
                    static_cast<unsigned>(f.date.day()), kMonths.at(static_cast<unsigned>(f.date.month()) - 1),
                    static_cast<int>(f.date.year()), static_cast<int>(f.time.hours().count()),
                    static_cast<int>(f.time.minutes().count()), static_cast<int>(f.time.seconds().count()));
  return {text.data(), static_cast<std::size_t>(n)};
}

std::optional<WallTime> ParseHttpDate(std::string_view text) {
  text = Trim(text);
  if (text.size() > kMaxDateBytes) {
    return std::nullopt;
  }
  const std::size_t day = text.find_first_not_of(", ", text.find_first_of(", "));
  const std::string date(day == std::string_view::npos ? "" : text.substr(day));
  for (const DateForm& form : kDateForms) {
    std::tm fields{};
    const char* end = strptime_l(date.c_str(), form.format, &fields, PosixLocale());
    if (end == date.data() + date.size() && date.size() == form.bytes) {
      return AsTime(fields);
    }
  }
  return std::nullopt;
}

}  // namespace packhorse
