#include "delivery/deprecation.h"

#include <algorithm>
#include <chrono>

#include "base/text.h"

namespace packhorse::delivery {
namespace {

using Days = std::chrono::duration<std::int64_t, std::ratio<86'400>>;

constexpr std::size_t kDateBytes = 10;  // 2027-12-31
// Year 1 to 9999, of what FormatUtc() can write.
constexpr std::int64_t kFirstSecond = -62'135'596'800;
constexpr std::int64_t kLastSecond = 253'402'300'799;

std::string DateOf(WallTime time) { return FormatUtc(time).substr(0, kDateBytes); }

std::string DaysText(std::int64_t days) { return std::to_string(days) + (days == 1 ? " day" : " days"); }

}  // namespace

std::int64_t DaysLeft(WallTime ends, WallTime wall) { return std::chrono::floor<Days>(ends - wall).count(); }

std::optional<WallTime> ParseHeaderDate(std::string_view text) {
  text = Trim(text);
  if (text.empty() || text.front() != '@') {
    return ParseHttpDate(text);
  }
  // RFC 9651 section 3.3.7; parameters may follow.
  text = text.substr(1, std::min(text.find(';'), text.size()) - 1);
  std::int64_t seconds = 0;
  if (!ReadNumber(Trim(text), seconds) || seconds < kFirstSecond || seconds > kLastSecond) {
    return std::nullopt;
  }
  return WallTime(std::chrono::seconds(seconds));
}

std::optional<std::string> Deprecation::Note(const std::vector<std::pair<std::string, std::string>>& headers,
                                             WallTime wall) {
  Notice now;
  bool any = false;
  for (const auto& [name, value] : headers) {
    const std::optional<WallTime> date = ParseHeaderDate(value);
    if (name == "sunset" && date) {
      // Of several the first: RFC 8594 section 3 has one alone.
      now.ends = now.ends ? std::min(*now.ends, *date) : *date;
    } else if (name == "deprecation" && date) {
      now.since = now.since ? std::min(*now.since, *date) : *date;
    }
    any = any || date || (name == "deprecation" && Lower(Trim(value)) == "true");
  }
  if (!any || (notice_ == now && wall >= told_at_ && wall - told_at_ < Days(1))) {
    return std::nullopt;
  }
  notice_ = now;
  told_at_ = wall;
  return DescribeDeprecation(now, wall);
}

bool Deprecation::Gone() {
  const bool was = notice_.has_value();
  notice_.reset();
  return was;
}

std::string DescribeDeprecation(const Deprecation::Notice& notice, WallTime wall) {
  std::string text;
  if (notice.ends) {
    const std::int64_t days = DaysLeft(*notice.ends, wall);
    text = days < 0 ? "the API was to end on " + DateOf(*notice.ends) + ", " + DaysText(-days) + " ago"
                    : "the API ends on " + DateOf(*notice.ends) + ", in " + DaysText(days);
  } else {
    text = "the API says no date of its end";
  }
  if (!notice.since) {
    return text + (notice.ends ? "" : ", only that it is deprecated");
  }
  return text + "; deprecated " + (*notice.since > wall ? "from " : "since ") + DateOf(*notice.since) +
         (*notice.since > wall ? " on" : "");
}

}  // namespace packhorse::delivery
