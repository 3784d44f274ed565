#include "packhorse/format.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "base/text.h"
#include "base/units.h"

namespace packhorse::cli {
namespace {

using std::chrono::seconds;

// Columns that `text` takes on a terminal: escape sequences take none, UTF-8 continuation bytes neither.
std::size_t Width(std::string_view text) {
  std::size_t width = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\x1b') {
      i = std::min(text.find('m', i), text.size() - 1);
      continue;
    }
    width += (static_cast<unsigned char>(text[i]) & 0xC0U) != 0x80U ? 1U : 0U;
  }
  return width;
}

bool IsNumber(std::string_view cell) {
  return !cell.empty() && cell.find_first_not_of("0123456789,") == std::string_view::npos;
}

std::string Decimal(double value, int digits) {
  std::array<char, 64> text{};
  const int length = std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return {text.data(), std::min(static_cast<std::size_t>(std::max(length, 0)), text.size() - 1)};
}

std::tm Local(WallTime time) {
  const std::time_t when = std::chrono::system_clock::to_time_t(time);
  std::tm app{};
  localtime_r(&when, &app);
  return app;
}

// Takes `digits` digits off the front; none when they are not there.
std::optional<int> TakeDigits(std::string_view& text, std::size_t digits) {
  int value = 0;
  if (text.size() < digits || text.substr(0, digits).find_first_not_of("0123456789") != std::string_view::npos) {
    return std::nullopt;
  }
  std::from_chars(text.data(), text.data() + digits, value);
  text.remove_prefix(digits);
  return value;
}

bool TakeChar(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text.front()) == std::string_view::npos) {
    return false;
  }
  text.remove_prefix(1);
  return true;
}

std::optional<std::chrono::microseconds> TakeFraction(std::string_view& text) {
  if (!TakeChar(text, ".")) {
    return std::chrono::microseconds(0);
  }
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  if (digits == 0 || digits > 9) {
    return std::nullopt;
  }
  std::string six(text.substr(0, digits));
  six.resize(6, '0');
  text.remove_prefix(digits);
  return std::chrono::microseconds(std::atoi(six.c_str()));
}

std::optional<std::chrono::minutes> TakeZone(std::string_view& text) {
  if (TakeChar(text, "Zz")) {
    return std::chrono::minutes(0);
  }
  const int sign = text.empty() || text.front() != '-' ? 1 : -1;
  if (!TakeChar(text, "+-")) {
    return std::nullopt;
  }
  const auto hours = TakeDigits(text, 2);
  const bool colon = TakeChar(text, ":");
  const auto minutes = TakeDigits(text, 2);
  if (!hours || !colon || !minutes || *hours > 23 || *minutes > 59) {
    return std::nullopt;
  }
  return std::chrono::minutes(sign * (*hours * 60 + *minutes));
}

}  // namespace

Style Style::Detect() {
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  const bool dumb = term == nullptr || std::string_view(term) == "dumb";
  return Style(isatty(STDOUT_FILENO) == 1 && (no_color == nullptr || *no_color == '\0') && !dumb);
}

std::string Style::State(std::string_view state) const {
  if (state == "ok" || state == "connected") {
    return Good(state);
  }
  return state == "held" || state == "down" ? Bad(state) : Warning(state);
}

std::string Style::Paint(std::string_view code, std::string_view text) const {
  if (!colours_) {
    return std::string(text);
  }
  return "\x1b[" + std::string(code) + "m" + std::string(text) + "\x1b[0m";
}

std::string Grouped(std::uint64_t value) {
  std::string text = std::to_string(value);
  for (std::size_t at = text.size(); at > 3; at -= 3) {
    text.insert(at - 3, ",");
  }
  return text;
}

std::string Latency(double milliseconds) {
  if (milliseconds < 10.0) {
    return Decimal(milliseconds, 1) + " ms";
  }
  return milliseconds < 1'000.0 ? Decimal(milliseconds, 0) + " ms" : Decimal(milliseconds / 1'000.0, 1) + " s";
}

std::string Span(seconds span) {
  const std::int64_t total = std::max<std::int64_t>(span.count(), 0);
  if (total < 60) {
    return std::to_string(total) + " s";
  }
  if (total < 3'600) {
    return std::to_string(total / 60) + " min";
  }
  if (total < 86'400) {
    const std::int64_t minutes = total % 3'600 / 60;
    return std::to_string(total / 3'600) + (minutes < 10 ? " h 0" : " h ") + std::to_string(minutes) + " min";
  }
  return std::to_string(total / 86'400) + " d " + std::to_string(total % 86'400 / 3'600) + " h";
}

std::string LocalTime(WallTime time, WallTime now) {
  const std::tm then = Local(time);
  const std::tm today = Local(now);
  const bool same_day = then.tm_year == today.tm_year && then.tm_yday == today.tm_yday;
  std::array<char, 64> text{};
  const std::size_t length =
      std::strftime(text.data(), text.size(), same_day ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &then);
  return {text.data(), length};
}

std::string SinceText(WallTime since, WallTime now) {
  return LocalTime(since, now) + " (" + Span(std::chrono::duration_cast<seconds>(now - since)) + ")";
}

std::optional<WallTime> ParseTime(std::string_view text) {
  const auto year = TakeDigits(text, 4);
  const bool dash = TakeChar(text, "-");
  const auto month = TakeDigits(text, 2);
  const bool dash2 = TakeChar(text, "-");
  const auto day = TakeDigits(text, 2);
  const bool separator = TakeChar(text, "Tt ");
  const auto hour = TakeDigits(text, 2);
  const bool colon = TakeChar(text, ":");
  const auto minute = TakeDigits(text, 2);
  const bool colon2 = TakeChar(text, ":");
  const auto second = TakeDigits(text, 2);
  if (!year || !dash || !month || !dash2 || !day || !separator || !hour || !colon || !minute || !colon2 || !second) {
    return std::nullopt;
  }
  const auto fraction = TakeFraction(text);
  const auto zone = fraction ? TakeZone(text) : std::nullopt;
  const std::chrono::year_month_day date(std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day)));
  if (!zone || !text.empty() || !date.ok() || *hour > 23 || *minute > 59 || *second > 60) {
    return std::nullopt;
  }
  return WallTime(std::chrono::sys_days(date)) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         seconds(*second) + *fraction - *zone;
}

std::optional<WallTime> ParseTimeOrAgo(std::string_view text, WallTime now) {
  if (const Result<std::chrono::milliseconds> ago = ParseDuration(text)) {
    return now - *ago;
  }
  return ParseTime(text);
}

std::string HumaniseTimes(std::string_view sentence, WallTime now) {
  constexpr std::string_view kSince = "since ";
  constexpr std::size_t kTimeLength = 20;  // YYYY-MM-DDTHH:MM:SSZ
  std::string text;
  while (true) {
    const std::size_t at = sentence.find(kSince);
    if (at == std::string_view::npos) {
      return text.append(sentence);
    }
    text.append(sentence.substr(0, at + kSince.size()));
    sentence.remove_prefix(at + kSince.size());
    if (const auto time = ParseTime(sentence.substr(0, kTimeLength))) {
      text += SinceText(*time, now);
      sentence.remove_prefix(kTimeLength);
    }
  }
}

std::string Printable(std::string_view text) {
  std::string safe;
  while (!text.empty()) {
    const Character character = FirstCharacter(text);
    const bool shows = character.valid && !ActsOnReader(character.point);
    safe += shows ? text.substr(0, character.bytes) : "?";
    text.remove_prefix(character.bytes);
  }
  return safe;
}

std::string Wrap(std::string_view text, std::string_view lead, std::size_t indent, std::size_t width) {
  std::string out(lead);
  std::size_t column = Width(lead);
  bool first_word = true;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!first_word && column + 1 + Width(word) > width) {
      out += '\n' + std::string(indent, ' ');
      column = indent;
    } else if (!first_word) {
      out += ' ';
      ++column;
    }
    out += word;
    column += Width(word);
    first_word = false;
  }
  return out + '\n';
}

std::string Field(const std::string& name, const std::string& value) {
  constexpr std::size_t kColumn = 16;
  if (value.empty()) {
    return "";
  }
  std::string lead = "  " + name;
  lead.resize(std::max(kColumn, lead.size() + 1), ' ');
  return Wrap(value, lead, kColumn);
}

std::string Table::Text(const Style& style) const {
  std::vector<std::size_t> widths(rows_.front().size(), 0);
  std::vector<bool> right(widths.size(), rows_.size() > 1);
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    for (std::size_t c = 0; c < rows_[r].size() && c < widths.size(); ++c) {
      widths[c] = std::max(widths[c], Width(rows_[r][c]));
      right[c] = right[c] && (r == 0 || IsNumber(rows_[r][c]));
    }
  }
  std::string text;
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    std::string line = " ";
    for (std::size_t c = 0; c < rows_[r].size() && c < widths.size(); ++c) {
      const std::string& cell = rows_[r][c];
      const std::string pad(widths[c] - Width(cell), ' ');
      const std::string shown = r == 0 ? style.Dim(cell) : cell;
      line += (c == 0 ? " " : "  ") + (right[c] ? pad + shown : shown + pad);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

}  // namespace packhorse::cli
