#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace packhorse {

// A level of a topic pattern.
struct TopicLevel {
  enum class Kind : std::uint8_t {
    kLiteral,
    kAny,      // '+'
    kCapture,  // {name}
    kRest,     // '#'
  };
  Kind kind = Kind::kLiteral;
  std::string text;  // as it was written

  bool is_rest() const { return kind == Kind::kRest; }
  bool is_capture() const { return kind == Kind::kCapture; }
  bool is_single() const { return kind == Kind::kAny || kind == Kind::kCapture; }  // stands for any one level
  // REQUIRES: a capture.
  std::string_view name() const { return std::string_view(text).substr(1, text.size() - 2); }
};

// A stream's topic pattern: an MQTT topic filter (MQTT 5 section 4.7) in which a whole level may also be a named
// capture, `{device}`, which subscribes as '+'. A default-constructed one matches nothing. Immutable; any thread.
class TopicPattern {
 public:
  // At most 65,535 bytes, valid UTF-8, '#' only as last level, '+' and {name} only as a whole level, names unique and
  // made of letters, digits, '_' and '-'. Shared subscriptions ($share/...) are refused.
  static Result<TopicPattern> Parse(std::string_view text);

  const std::string& text() const { return text_; }
  // What is sent in SUBSCRIBE.
  std::string filter() const;
  // Whether `topic` matches; '$'-topics only match a pattern whose first level is literal (MQTT 5 section 4.7.2).
  bool Matches(std::string_view topic) const { return MayMatch(topic) && Match(topic).has_value(); }
  // The named captures of a topic that matches; empty when there are none or it does not match.
  std::vector<std::pair<std::string, std::string>> Captures(std::string_view topic) const;
  // The level (or, for '#', the rest) that the last wildcard of a matching topic stands for; a capture counts as one.
  // Empty when there is none.
  std::string LastWildcard(std::string_view topic) const;
  // The device that a matching topic names: the capture {device}, else what the last wildcard stands for. Empty when
  // there is neither. Part of `topic`.
  std::string_view Device(std::string_view topic) const { return Match(topic).value_or(std::string_view()); }
  // Both at once: the device; none when the topic does not match.
  std::optional<std::string_view> Match(std::string_view topic) const;

 private:
  // False for most topics that do not match: what begins with neither a wildcard nor a capture begins each topic.
  bool MayMatch(std::string_view topic) const {
    const char first = text_.empty() ? '\0' : text_.front();
    return first == '+' || first == '{' || first == '#' || topic.starts_with(first);
  }

  friend bool Overlap(const TopicPattern& a, const TopicPattern& b);
  friend bool Covers(const TopicPattern& outer, const TopicPattern& inner);

  std::string text_;
  std::vector<TopicLevel> levels_;
  std::size_t device_level_ = 0;  // which of them the device is read from; beyond them when none is
};

// Whether some topic matches both filters.
bool Overlap(const TopicPattern& a, const TopicPattern& b);
// Whether every topic that matches `inner` matches `outer` as well.
bool Covers(const TopicPattern& outer, const TopicPattern& inner);

}  // namespace packhorse
