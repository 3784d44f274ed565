#include "base/topic.h"

#include <algorithm>
#include <cstddef>

#include "base/text.h"
#include "base/units.h"

namespace packhorse {
namespace {

constexpr std::size_t kMaxTopicBytes = 65'535;  // MQTT 5 section 1.5.4: two length bytes
constexpr std::size_t kMaxNameBytes = 64;

bool IsMultiLevel(std::string_view level) { return level == "#"; }
bool IsCapture(std::string_view level) { return !level.empty() && level.front() == '{'; }
bool IsSingleLevel(std::string_view level) { return level == "+" || IsCapture(level); }
std::string_view CaptureName(std::string_view level) { return level.substr(1, level.size() - 2); }

std::vector<std::string> SplitLevels(std::string_view text) {
  std::vector<std::string> levels;
  std::size_t start = 0;
  for (std::size_t slash = text.find('/'); slash != std::string_view::npos; slash = text.find('/', start)) {
    levels.emplace_back(text.substr(start, slash - start));
    start = slash + 1;
  }
  levels.emplace_back(text.substr(start));
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
  if (!IsName(CaptureName(level))) {
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
bool Walk(const std::vector<std::string>& levels, std::string_view topic, const Visit& visit) {
  if (levels.empty() || topic.empty() ||
      (topic.front() == '$' && (IsMultiLevel(levels.front()) || IsSingleLevel(levels.front())))) {
    return false;
  }
  bool more = true;  // `topic` still holds a level, maybe an empty one
  for (const std::string& level : levels) {
    if (IsMultiLevel(level)) {
      visit(level, topic);  // also stands for no level at all: "a/#" matches "a" (MQTT 5 section 4.7.1.2)
      return true;
    }
    if (!more) {
      return false;
    }
    const std::size_t slash = topic.find('/');
    const std::string_view text = topic.substr(0, slash);
    if (IsSingleLevel(level)) {
      visit(level, text);
    } else if (level != text) {
      return false;
    }
    more = slash != std::string_view::npos;
    topic = more ? topic.substr(slash + 1) : std::string_view();
  }
  return !more;
}

// '#' also stands for no level at all, but a topic is never empty (MQTT 5 section 4.7.3): "#" means the same as "+/#",
// and
// "/#" the same as "/+/#". The comparisons below rely on the longer forms.
std::vector<std::string> Normal(std::vector<std::string> levels) {
  const bool any = levels.size() == 1 && IsMultiLevel(levels.front());
  const bool any_below_empty = levels.size() == 2 && levels.front().empty() && IsMultiLevel(levels.back());
  if (any || any_below_empty) {
    levels.insert(levels.end() - 1, "+");
  }
  return levels;
}

bool StartsWithDollar(std::string_view level) { return !level.empty() && level.front() == '$'; }

bool LevelsOverlap(std::string_view a, std::string_view b, bool first) {
  if (IsSingleLevel(a) && IsSingleLevel(b)) {
    return true;
  }
  if (IsSingleLevel(a) || IsSingleLevel(b)) {
    return !(first && StartsWithDollar(IsSingleLevel(a) ? b : a));
  }
  return a == b;
}

bool LevelCovers(std::string_view outer, std::string_view inner, bool first) {
  if (IsSingleLevel(outer)) {
    return IsSingleLevel(inner) || !(first && StartsWithDollar(inner));
  }
  return !IsSingleLevel(inner) && outer == inner;
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
  std::vector<std::string_view> names;
  for (const std::string& level : pattern.levels_) {
    if (const std::string problem = LevelProblem(level, &level == &pattern.levels_.back()); !problem.empty()) {
      return fail(problem);
    }
    if (IsCapture(level)) {
      names.push_back(level);
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
  for (const std::string& level : levels_) {
    if (&level != &levels_.front()) {
      filter += '/';
    }
    filter += IsCapture(level) ? "+" : level;
  }
  return filter;
}

bool TopicPattern::Matches(std::string_view topic) const {
  return Walk(levels_, topic, [](std::string_view, std::string_view) {});
}

std::vector<std::pair<std::string, std::string>> TopicPattern::Captures(std::string_view topic) const {
  std::vector<std::pair<std::string, std::string>> captures;
  const bool matches = Walk(levels_, topic, [&](std::string_view level, std::string_view text) {
    if (IsCapture(level)) {
      captures.emplace_back(CaptureName(level), text);
    }
  });
  if (!matches) {
    captures.clear();
  }
  return captures;
}

std::string TopicPattern::Device(std::string_view topic) const {
  std::string_view device;
  bool named = false;
  const bool matches = Walk(levels_, topic, [&](std::string_view level, std::string_view text) {
    if (!named) {
      device = text;
      named = IsCapture(level) && CaptureName(level) == "device";
    }
  });
  return matches ? std::string(device) : std::string();
}

std::string TopicPattern::LastWildcard(std::string_view topic) const {
  std::string_view last;
  const bool matches = Walk(levels_, topic, [&](std::string_view, std::string_view text) { last = text; });
  return matches ? std::string(last) : std::string();
}

bool Overlap(const TopicPattern& a, const TopicPattern& b) {
  const std::vector<std::string> left = Normal(a.levels_);
  const std::vector<std::string> right = Normal(b.levels_);
  for (std::size_t i = 0;; ++i) {
    if ((i < left.size() && IsMultiLevel(left[i])) || (i < right.size() && IsMultiLevel(right[i]))) {
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
  const std::vector<std::string> wide = Normal(outer.levels_);
  const std::vector<std::string> narrow = Normal(inner.levels_);
  for (std::size_t i = 0;; ++i) {
    if (i < wide.size() && IsMultiLevel(wide[i])) {
      return true;
    }
    if (i == wide.size() || i == narrow.size()) {
      return wide.size() == narrow.size() && i > 0;
    }
    if (IsMultiLevel(narrow[i]) || !LevelCovers(wide[i], narrow[i], i == 0)) {
      return false;
    }
  }
}

}  // namespace packhorse
