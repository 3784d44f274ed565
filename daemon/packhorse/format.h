#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace packhorse::cli {

// How things are written for people. Pure functions; any thread.

// Colours, when they may be used: on a terminal, without NO_COLOR (https://no-color.org), TERM not "dumb".
class Style {
 public:
  explicit Style(bool colours) : colours_(colours) {}
  // For standard output.
  static Style Detect();

  std::string Good(std::string_view text) const { return Paint("32", text); }
  std::string Warning(std::string_view text) const { return Paint("33", text); }
  std::string Bad(std::string_view text) const { return Paint("31;1", text); }
  std::string Title(std::string_view text) const { return Paint("1", text); }
  std::string Dim(std::string_view text) const { return Paint("2", text); }
  // By the word: ok, connected -> good; held, down -> bad; anything else -> warning.
  std::string State(std::string_view state) const;

 private:
  std::string Paint(std::string_view code, std::string_view text) const;
  bool colours_;
};

// 1234567 -> "1,234,567".
std::string Grouped(std::uint64_t value);
// 0.8 -> "0.8 ms", 12.3 -> "12 ms", 2345 -> "2.3 s".
std::string Latency(double milliseconds);
// The two largest units that matter: "5 s", "3 min", "2 h 05 min", "4 d 3 h".
std::string Span(std::chrono::seconds span);
// "09:12:01" today, "2026-11-19 09:12:01" on another day; local time.
std::string LocalTime(WallTime time, WallTime now);
// "09:12:01 (3 min)".
std::string SinceText(WallTime since, WallTime now);
// RFC 3339 with `Z` or an offset and 0 to 9 fraction digits (digits beyond microseconds are cut).
std::optional<WallTime> ParseTime(std::string_view text);
// As ParseTime(), or a duration as in the configuration ("2h"): so long before `now`.
std::optional<WallTime> ParseTimeOrAgo(std::string_view text, WallTime now);
// Every "since <RFC 3339>" in a sentence of the daemon as people like to read it.
std::string HumaniseTimes(std::string_view sentence, WallTime now);
// What a device or a provider sent, safe for a terminal: what a terminal acts on (base/text.h), and what is not UTF-8,
// becomes '?'.
std::string Printable(std::string_view text);

// Breaks at spaces; every line begins with `indent` spaces, the first one with `lead`. Ends with a line feed.
std::string Wrap(std::string_view text, std::string_view lead, std::size_t indent, std::size_t width = 80);

// "  name        value", wrapped below the value; nothing for an empty value.
std::string Field(const std::string& name, const std::string& value);

// Columns as wide as their widest cell, two spaces apart; numbers (cells of digits and ',') to the right. Escape
// sequences of colours do not count.
class Table {
 public:
  explicit Table(std::vector<std::string> head) { rows_.push_back(std::move(head)); }
  void Add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  std::string Text(const Style& style) const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace packhorse::cli
