#include "base/topic.h"

#include <algorithm>
#include <cstddef>

#include "base/text.h"
#include "base/units.h"

namespace packhorse {
namespace {

constexpr std::size_t kMaxTopicBytes = 65'535;  // MQTT 5 section 1.5.4: two length bytes
constexpr std::size_t kMaxNameBytes = 64;

using Levels = std::vector<TopicLevel>;

TopicLevel LevelOf(std::string_view text) {
  using Kind = TopicLevel::Kind;
  if (text == "#") {
    return {Kind::kRest, "#"};
  }
  if (text == "+") {
    return {Kind::kAny, "+"};
  }
  return {!text.empty() && text.front() == '{' ? Kind::kCapture : Kind::kLiteral, std::string(text)};
}

Levels SplitLevels(std::string_view text) {
  Levels levels;
  std::size_t start = 0;
  for (std::size_t slash = text.find('/'); slash != std::string_view::npos; slash = text.find('/', start)) {
    levels.push_back(LevelOf(text.substr(start, slash - start)));
    start = slash + 1;
  }
  levels.push_back(LevelOf(text.substr(start)));
  return levels;
}

bool IsName(std::string_view name) {
  const auto allowed = [](char c) { return IsAlnum(c) || c == '_' || c == '-'; };
  return !name.empty() && name.size() <= kMaxNameBytes && std::all_of(name.begin(), name.end(), allowed);
}

// What is wrong with one level; empty when nothing is.
std::string LevelProblem(std::string_view level, bool last) {
  if (level.find('#') != std::string_view::npos && (level.size() != 1 || !last)) {
    return "'#' must stand alone and be the last level";
  }
  if (level.find('+') != std::string_view::npos && level.size() != 1) {
    return "'+' must stand alone in its level, as in \"a/+/b\"";
  }
  if (level.find_first_of("{}") == std::string_view::npos) {
    return "";
  }
  if (level.size() < 2 || level.front() != '{' || level.back() != '}') {
    return "a capture must fill its level, as in \"a/{device}/b\"";
  }
  if (!IsName(level.substr(1, level.size() - 2))) {
    return "a capture's name has 1 to 64 letters, digits, '_' or '-', as in \"{device}\"";
  }
  return "";
}

// What is wrong with the text before it is split; empty when nothing is.
std::string TextProblem(std::string_view text) {
  if (text.empty()) {
    return "must not be empty";
  }
  if (text.size() > kMaxTopicBytes) {
    return "has " + std::to_string(text.size()) + " bytes, MQTT allows 65535";
  }
  if (!IsValidUtf8(text)) {
    return "is not valid UTF-8";
  }
  if (text.find('\0') != std::string_view::npos) {
    return "contains a NUL character, which MQTT forbids";
  }
  // Messages of a shared subscription carry the bare topic, so the pattern would never match what it subscribes to.
  if (text == "$share" || text.substr(0, 7) == "$share/") {
    return "is a shared subscription, which is not supported: it gives up the order per device";
  }
  return "";
}

// Walks `topic` along the pattern and calls visit(level, text) for each wildcard; false when it does not match.
template <typename Visit>
bool Walk(const Levels& levels, std::string_view topic, const Visit& visit) {
  if (levels.empty() || topic.empty() ||
      (topic.front() == '$' && (levels.front().is_rest() || levels.front().is_single()))) {
    return false;
  }
  const char* at = topic.data();
  const char* const end = at + topic.size();
  const auto until = [&at](const char* stop) { return std::string_view(at, static_cast<std::size_t>(stop - at)); };
  bool more = true;  // `topic` still holds a level, maybe an empty one
  for (const TopicLevel& level : levels) {
    if (level.is_rest()) {
      visit(level, until(end));  // also stands for no level at all: "a/#" matches "a" (MQTT 5 section 4.7.1.2)
      return true;
    }
    if (!more) {
      return false;
    }
    const char* stop = at;
    if (level.is_single()) {
      stop = std::find(at, end, '/');
      visit(level, until(stop));
    } else if (until(end).starts_with(level.text)) {
      stop += level.text.size();
    } else {
      return false;
    }
    more = stop != end;
    if (more && *stop != '/') {
      return false;
    }
    at = more ? stop + 1 : stop;
  }
  return !more;
}

// The level that tells the device: the capture {device}, else the last wildcard.
std::size_t DeviceLevel(const Levels& levels) {
  const auto found = std::find_if(levels.begin(), levels.end(), [](const TopicLevel& level) {
    return level.is_capture() && level.name() == "device";
  });
  if (found != levels.end()) {
    return static_cast<std::size_t>(found - levels.begin());
  }
  const auto last = std::find_if(levels.rbegin(), levels.rend(),
                                 [](const TopicLevel& level) { return level.is_rest() || level.is_single(); });
  return last == levels.rend() ? levels.size() : static_cast<std::size_t>(levels.rend() - last) - 1;
}

// '#' also stands for no level at all, but a topic is never empty (MQTT 5 section 4.7.3): "#" means the same as "+/#",
// and "/#" the same as "/+/#". The comparisons below rely on the longer forms.
Levels Normal(Levels levels) {
  const bool any = levels.size() == 1 && levels.front().is_rest();
  const bool any_below_empty = levels.size() == 2 && levels.front().text.empty() && levels.back().is_rest();
  if (any || any_below_empty) {
    levels.insert(levels.end() - 1, LevelOf("+"));
  }
  return levels;
}

bool StartsWithDollar(const TopicLevel& level) { return !level.text.empty() && level.text.front() == '$'; }

bool LevelsOverlap(const TopicLevel& a, const TopicLevel& b, bool first) {
  if (a.is_single() && b.is_single()) {
    return true;
  }
  if (a.is_single() || b.is_single()) {
    return !(first && StartsWithDollar(a.is_single() ? b : a));
  }
  return a.text == b.text;
}

bool LevelCovers(const TopicLevel& outer, const TopicLevel& inner, bool first) {
  if (outer.is_single()) {
    return inner.is_single() || !(first && StartsWithDollar(inner));
  }
  return !inner.is_single() && outer.text == inner.text;
}

}  // namespace

Result<TopicPattern> TopicPattern::Parse(std::string_view text) {
  const auto fail = [&](const std::string& problem) {
    const std::string shown = IsValidUtf8(text) ? " \"" + Shorten(text, 80) + "\"" : "";
    return Error{ErrorCode::kInvalidArgument, "topic pattern" + shown + ": " + problem};
  };
  if (const std::string problem = TextProblem(text); !problem.empty()) {
    return fail(problem);
  }
  TopicPattern pattern;
  pattern.text_ = std::string(text);
  pattern.levels_ = SplitLevels(text);
  pattern.device_level_ = DeviceLevel(pattern.levels_);
  std::vector<std::string_view> names;
  for (const TopicLevel& level : pattern.levels_) {
    if (const std::string problem = LevelProblem(level.text, &level == &pattern.levels_.back()); !problem.empty()) {
      return fail(problem);
    }
    if (level.is_capture()) {
      names.push_back(level.text);
    }
  }
  std::sort(names.begin(), names.end());
  if (const auto twice = std::adjacent_find(names.begin(), names.end()); twice != names.end()) {
    return fail("the capture " + std::string(*twice) + " appears twice");
  }
  return pattern;
}

std::string TopicPattern::filter() const {
  std::string filter;
  for (const TopicLevel& level : levels_) {
    if (&level != &levels_.front()) {
      filter += '/';
    }
    filter += level.is_capture() ? "+" : level.text;
  }
  return filter;
}

std::vector<std::pair<std::string, std::string>> TopicPattern::Captures(std::string_view topic) const {
  std::vector<std::pair<std::string, std::string>> captures;
  const bool matches = Walk(levels_, topic, [&](const TopicLevel& level, std::string_view text) {
    if (level.is_capture()) {
      captures.emplace_back(level.name(), text);
    }
  });
  if (!matches) {
    captures.clear();
  }
  return captures;
}

std::optional<std::string_view> TopicPattern::Match(std::string_view topic) const {
  std::string_view device;
  const TopicLevel* const named = levels_.data() + device_level_;
  const bool matches = Walk(levels_, topic, [&device, named](const TopicLevel& level, std::string_view text) {
    if (&level == named) {
      device = text;
    }
  });
  return matches ? std::optional(device) : std::nullopt;
}

std::string TopicPattern::LastWildcard(std::string_view topic) const {
  std::string_view last;
  const bool matches = Walk(levels_, topic, [&](const TopicLevel&, std::string_view text) { last = text; });
  return matches ? std::string(last) : std::string();
}

bool Overlap(const TopicPattern& a, const TopicPattern& b) {
  const Levels left = Normal(a.levels_);
  const Levels right = Normal(b.levels_);
  for (std::size_t i = 0;; ++i) {
    if ((i < left.size() && left[i].is_rest()) || (i < right.size() && right[i].is_rest())) {
      return true;
    }
    if (i == left.size() || i == right.size()) {
      return left.size() == right.size() && i > 0;
    }
    if (!LevelsOverlap(left[i], right[i], i == 0)) {
      return false;
    }
  }
}

bool Covers(const TopicPattern& outer, const TopicPattern& inner) {
  const Levels wide = Normal(outer.levels_);
  const Levels narrow = Normal(inner.levels_);
  for (std::size_t i = 0;; ++i) {
    if (i < wide.size() && wide[i].is_rest()) {
      return true;
    }
    if (i == wide.size() || i == narrow.size()) {
      return wide.size() == narrow.size() && i > 0;
    }
    if (narrow[i].is_rest() || !LevelCovers(wide[i], narrow[i], i == 0)) {
      return false;
    }
  }
}

}  // namespace packhorse
