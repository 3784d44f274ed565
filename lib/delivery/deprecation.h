#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace packhorse::delivery {

// What a cloud API says of its own end: `Sunset` (RFC 8594, a date of HTTP) and `Deprecation` (RFC 9745, a date of
// structured fields: "@1798761599"; either form is read in either header, and "true", as drafts of it had). Loop
// thread.
class Deprecation {
 public:
  struct Notice {
    std::optional<WallTime> since;  // deprecated from then on, perhaps in the future
    std::optional<WallTime> ends;   // it may stop to answer then
    bool operator==(const Notice&) const = default;
  };

  // Headers of a reply, in lower case, with their values. What is to be said now, if anything: when a notice is new or
  // another one, and once a day while it lasts.
  std::optional<std::string> Note(const std::vector<std::pair<std::string, std::string>>& headers, WallTime wall);
  // An accepted request without such headers: true where there was a notice. It is gone.
  bool Gone();

  const std::optional<Notice>& notice() const { return notice_; }

 private:
  std::optional<Notice> notice_;
  WallTime told_at_{};
};

// "the API ends on 2027-12-31, in 57 days; deprecated since 2026-12-31".
std::string DescribeDeprecation(const Deprecation::Notice& notice, WallTime wall);
// Whole days from `wall` to `ends`, rounded down; negative: it is over.
std::int64_t DaysLeft(WallTime ends, WallTime wall);
// Either form; none where it is neither.
std::optional<WallTime> ParseHeaderDate(std::string_view text);

}  // namespace packhorse::delivery
