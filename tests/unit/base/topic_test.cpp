#include "base/topic.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"

namespace packhorse {
namespace {

using Captured = std::vector<std::pair<std::string, std::string>>;

TopicPattern Pattern(std::string_view text) {
  Result<TopicPattern> pattern = TopicPattern::Parse(text);
  EXPECT_TRUE(pattern.has_value()) << text << ": " << (pattern ? "" : pattern.error().message);
  return pattern ? *pattern : TopicPattern();
}

TEST(TopicPattern, ValidPatternsKeepTheirTextAndSubscribeWithPlus) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"a", "a"},
      {"/", "/"},
      {"a//b", "a//b"},
      {"+", "+"},
      {"#", "#"},
      {"a/#", "a/#"},
      {"{device}", "+"},
      {"site/{site}/dev/{device-2}/telemetry", "site/+/dev/+/telemetry"},
      {"{a}/+/{b}/#", "+/+/+/#"},
      {"$SYS/broker/+", "$SYS/broker/+"},
      {"$shared/a", "$shared/a"},
      {"gr\xC3\xBC\xC3\x9F/+", "gr\xC3\xBC\xC3\x9F/+"},
      {"with space/ ", "with space/ "},
  };
  for (const auto& [text, filter] : cases) {
    const TopicPattern pattern = Pattern(text);
    EXPECT_EQ(pattern.text(), text);
    EXPECT_EQ(pattern.filter(), filter);
  }
}

TEST(TopicPattern, InvalidPatternsSayWhatIsWrong) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "must not be empty"},
      {"a/#/b", "'#' must stand alone and be the last level"},
      {"a#", "'#' must stand alone and be the last level"},
      {"a/b#", "'#' must stand alone and be the last level"},
      {"##", "'#' must stand alone and be the last level"},
      {"a+/b", "'+' must stand alone in its level"},
      {"++", "'+' must stand alone in its level"},
      {"dev-{id}", "a capture must fill its level"},
      {"{id}x/a", "a capture must fill its level"},
      {"{id", "a capture must fill its level"},
      {"id}", "a capture must fill its level"},
      {"{", "a capture must fill its level"},
      {"a/}", "a capture must fill its level"},
      {"{}", "a capture's name has 1 to 64"},
      {"{a b}", "a capture's name has 1 to 64"},
      {"{a{b}}", "a capture's name has 1 to 64"},
      {"{" + std::string(65, 'x') + "}", "a capture's name has 1 to 64"},
      {"{a+}", "'+' must stand alone in its level"},
      {"{a}/b/{a}", "the capture {a} appears twice"},
      {"$share/group/a/+", "shared subscription"},
      {"$share", "shared subscription"},
      {std::string("a\0b", 3), "NUL"},
      {"a/\xFF", "not valid UTF-8"},
      {std::string(65'536, 'a'), "has 65536 bytes"},
  };
  for (const auto& [text, problem] : cases) {
    const Result<TopicPattern> pattern = TopicPattern::Parse(text);
    ASSERT_FALSE(pattern.has_value()) << text.substr(0, 80);
    EXPECT_EQ(pattern.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(pattern.error().message.find(problem), std::string::npos) << pattern.error().message;
    EXPECT_LT(pattern.error().message.size(), 300U);
  }
}

TEST(TopicPattern, AtTheLengthLimitIsAccepted) { EXPECT_TRUE(TopicPattern::Parse(std::string(65'535, 'a'))); }

TEST(TopicPattern, MatchesByLevel) {
  struct Case {
    std::string pattern;
    std::string topic;
    bool matches;
  };
  // The first rows are the examples of MQTT 5 section 4.7.
  const std::vector<Case> cases = {
      {"sport/tennis/player1/#", "sport/tennis/player1", true},
      {"sport/tennis/player1/#", "sport/tennis/player1/ranking", true},
      {"sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true},
      {"sport/#", "sport", true},
      {"sport/#", "sports", false},
      {"sport/tennis/+", "sport/tennis/player1", true},
      {"sport/tennis/+", "sport/tennis/player1/ranking", false},
      {"sport/+", "sport", false},
      {"sport/+", "sport/", true},
      {"+/+", "/finance", true},
      {"/+", "/finance", true},
      {"+", "/finance", false},
      {"#", "$SYS/monitor/Clients", false},
      {"+/monitor/Clients", "$SYS/monitor/Clients", false},
      {"{x}/monitor/Clients", "$SYS/monitor/Clients", false},
      {"$SYS/#", "$SYS/monitor/Clients", true},
      {"$SYS/monitor/+", "$SYS/monitor/Clients", true},
      {"a/+", "a/$b", true},
      {"a/#", "a/$b/c", true},
      {"#", "a", true},
      {"#", "/", true},
      {"+", "a", true},
      {"/", "/", true},
      {"/", "a", false},
      {"+/", "a/", true},
      {"+/", "a", false},
      {"a//b", "a//b", true},
      {"a/+/b", "a//b", true},
      {"a//b", "a/x/b", false},
      {"a/b", "a/B", false},
      {"a/b", "a/bc", false},
      {"a/bc", "a/b", false},
      {"ab/+", "a/b", false},
      {"a/+", "ab/c", false},
      {"a/b/#", "a/bc/d", false},
      {"+/b", "x/bb", false},
      {"a/b", "a/b/", false},
      {"a/b/", "a/b", false},
      {"a/b/c", "a/b", false},
      {"{a}/{b}", "x/y", true},
      {"{a}/{b}", "x", false},
      {"#", "", false},
      {"+", "", false},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(Pattern(c.pattern).Matches(c.topic), c.matches) << c.pattern << " and " << c.topic;
  }
}

TEST(TopicPattern, CapturesAreNamedInTheOrderOfThePattern) {
  const TopicPattern pattern = Pattern("site/{site}/+/dev/{device}/#");
  EXPECT_EQ(pattern.Captures("site/a/x/dev/17/telemetry"), (Captured{{"site", "a"}, {"device", "17"}}));
  EXPECT_EQ(pattern.Captures("site//x/dev/17"), (Captured{{"site", ""}, {"device", "17"}}));
  EXPECT_EQ(pattern.Captures("site/a/x/other/17"), Captured{});
  EXPECT_EQ(Pattern("a/+/b").Captures("a/1/b"), Captured{});
}

TEST(TopicPattern, LastWildcardIsTheLastLevelThatIsNotLiteral) {
  EXPECT_EQ(Pattern("a/+/b/+/c").LastWildcard("a/1/b/2/c"), "2");
  EXPECT_EQ(Pattern("a/{x}/b").LastWildcard("a/1/b"), "1");
  EXPECT_EQ(Pattern("a/+/#").LastWildcard("a/1/b/c"), "b/c");
  EXPECT_EQ(Pattern("a/+/#").LastWildcard("a/1"), "");
  EXPECT_EQ(Pattern("#").LastWildcard("a/b"), "a/b");
  EXPECT_EQ(Pattern("a/b").LastWildcard("a/b"), "");
  EXPECT_EQ(Pattern("a/+/c").LastWildcard("a/1/x"), "");
}

TEST(TopicPattern, ATopicThatMatchesTellsTheDeviceAtOnce) {
  EXPECT_EQ(Pattern("site/{site}/dev/{device}/+").Match("site/a/dev/17/t"), "17");
  EXPECT_EQ(Pattern("{device}/+").Match("17/t"), "17");
  EXPECT_EQ(Pattern("a/+/b/#").Match("a/1/b/c/d"), "c/d");
  EXPECT_EQ(Pattern("a/+/#").Match("a/1"), "");
  EXPECT_EQ(Pattern("/+").Match("/1"), "1");
  EXPECT_EQ(Pattern("a/b").Match("a/b"), "");
  EXPECT_EQ(Pattern("a/+").Match("b/1"), std::nullopt);
  EXPECT_EQ(Pattern("a/+").Match("a/1/c"), std::nullopt);
  EXPECT_EQ(TopicPattern().Match("a"), std::nullopt);
}

TEST(TopicPattern, DefaultConstructedMatchesNothing) {
  const TopicPattern none;
  EXPECT_FALSE(none.Matches("a"));
  EXPECT_EQ(none.filter(), "");
  EXPECT_FALSE(Overlap(none, Pattern("#")) && Covers(none, Pattern("a")));
  EXPECT_FALSE(Overlap(none, none));
}

TEST(TopicPattern, OverlapAndCoverage) {
  struct Case {
    std::string a;
    std::string b;
    bool overlap;
    bool a_covers_b;
    bool b_covers_a;
  };
  const std::vector<Case> cases = {
      {"a/b", "a/b", true, true, true},          {"a/+", "a/b", true, true, false},
      {"a/{x}", "a/+", true, true, true},        {"a/#", "a", true, true, false},
      {"a/#", "a/+/c", true, true, false},       {"a/+", "+/b", true, false, false},
      {"a/+/c", "a/b/+", true, false, false},    {"a/#", "b/#", false, false, false},
      {"+/b/#", "a/+/c", true, false, false},    {"#", "+/#", true, true, true},
      {"#", "$SYS/#", false, false, false},      {"+/x", "$SYS/x", false, false, false},
      {"$SYS/#", "$SYS/+/x", true, true, false}, {"+", "+/+", false, false, false},
      {"#", "a//", true, true, false},           {"a/", "a/+", true, false, true},
      {"a/+/#", "a/#", true, false, true},       {"/#", "+", false, false, false},
      {"/#", "/+/#", true, true, true},
  };
  for (const Case& c : cases) {
    const TopicPattern a = Pattern(c.a);
    const TopicPattern b = Pattern(c.b);
    EXPECT_EQ(Overlap(a, b), c.overlap) << c.a << " and " << c.b;
    EXPECT_EQ(Overlap(b, a), c.overlap) << c.a << " and " << c.b;
    EXPECT_EQ(Covers(a, b), c.a_covers_b) << c.a << " and " << c.b;
    EXPECT_EQ(Covers(b, a), c.b_covers_a) << c.a << " and " << c.b;
  }
}

// --- comparison with a matcher that works character by character and knows nothing of levels as a list ---

bool NaiveMatch(std::string_view filter, std::string_view topic) {
  if (filter == "#" || (filter == "/#" && topic.empty())) {
    return true;
  }
  if (!filter.empty() && filter.front() == '+') {
    const std::size_t slash = topic.find('/');
    return NaiveMatch(filter.substr(1), slash == std::string_view::npos ? std::string_view() : topic.substr(slash));
  }
  if (filter.empty() || topic.empty()) {
    return filter.empty() && topic.empty();
  }
  return filter.front() == topic.front() && NaiveMatch(filter.substr(1), topic.substr(1));
}

bool Naive(std::string_view filter, std::string_view topic) {
  const bool wild = filter.front() == '+' || filter.front() == '#';
  return !(wild && topic.front() == '$') && NaiveMatch(filter, topic);
}

std::string RandomTopic(Random& random) {
  static const std::vector<std::string> kLevels = {"", "a", "b", "ab", "$x", "\xC3\xBC"};
  std::string topic;
  do {
    topic.clear();
    for (std::uint64_t levels = 1 + random.UpTo(3); levels > 0; --levels) {
      topic += kLevels[random.UpTo(kLevels.size() - 1)];
      topic += levels > 1 ? "/" : "";
    }
  } while (topic.empty());
  return topic;
}

std::string RandomFilter(Random& random) {
  std::string filter = RandomTopic(random);
  std::string result;
  std::size_t start = 0;
  for (;;) {
    const std::size_t slash = filter.find('/', start);
    const std::uint64_t choice = random.UpTo(9);
    if (choice == 0) {
      return result + "#";
    }
    result += choice <= 3 ? "+" : filter.substr(start, slash == std::string::npos ? slash : slash - start);
    if (slash == std::string::npos) {
      return result.empty() ? "+" : result;
    }
    result += "/";
    start = slash + 1;
  }
}

TEST(TopicPattern, RandomTopicsMatchAsTheNaiveMatcherSays) {
  const std::uint64_t seed = RandomSeed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  int matched = 0;
  for (int i = 0; i < 50'000; ++i) {
    const std::string filter = RandomFilter(random);
    const std::string topic = RandomTopic(random);
    const bool matches = Pattern(filter).Matches(topic);
    ASSERT_EQ(matches, Naive(filter, topic)) << filter << " and " << topic;
    matched += matches ? 1 : 0;
  }
  EXPECT_GT(matched, 1'000);
}

// Every topic of up to five levels over an alphabet with one level ("z") that no pattern names: enough to tell any two
// patterns of up to four levels apart.
std::vector<std::string> AllTopics() {
  const std::vector<std::string> alphabet = {"", "a", "b", "$x", "z"};
  std::vector<std::string> topics;
  std::vector<std::string> previous = alphabet;
  for (int levels = 1; levels <= 5; ++levels) {
    std::copy_if(previous.begin(), previous.end(), std::back_inserter(topics),
                 [](const std::string& topic) { return !topic.empty(); });
    std::vector<std::string> next;
    for (const std::string& topic : previous) {
      for (const std::string& level : alphabet) {
        next.push_back(topic + "/" + level);
      }
    }
    previous = std::move(next);
  }
  return topics;
}

std::string RandomSmallFilter(Random& random) {
  static const std::vector<std::string> kLevels = {"", "a", "b", "$x", "+", "+", "#"};
  std::string filter;
  do {
    filter.clear();
    for (std::uint64_t levels = 1 + random.UpTo(3); levels > 0; --levels) {
      const std::string& level = kLevels[random.UpTo(kLevels.size() - 1)];
      filter += level;
      if (level == "#" || levels == 1) {
        break;
      }
      filter += "/";
    }
  } while (filter.empty());
  return filter;
}

TEST(TopicPattern, RandomOverlapAndCoverageAgreeWithEnumeration) {
  const std::uint64_t seed = RandomSeed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  const std::vector<std::string> topics = AllTopics();
  for (int i = 0; i < 400; ++i) {
    const TopicPattern a = Pattern(RandomSmallFilter(random));
    const TopicPattern b = Pattern(RandomSmallFilter(random));
    bool overlap = false;
    bool covers = true;
    for (const std::string& topic : topics) {
      const bool in_a = Naive(a.text(), topic);
      const bool in_b = Naive(b.text(), topic);
      overlap = overlap || (in_a && in_b);
      covers = covers && (in_a || !in_b);
    }
    ASSERT_EQ(Overlap(a, b), overlap) << a.text() << " and " << b.text();
    ASSERT_EQ(Covers(a, b), covers) << a.text() << " covers " << b.text();
  }
}

}  // namespace
}  // namespace packhorse
