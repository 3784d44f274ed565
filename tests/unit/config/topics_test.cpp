#include "config_fixture.h"
#include "document/problems.h"

namespace packhorse::config {
namespace {

class TopicRuleTest : public ConfigTest {
 protected:
  // One stream for each list of topics, all of one source.
  Loaded Streams(const std::vector<std::string>& topic_lists) const {
    std::string streams;
    for (std::size_t i = 0; i < topic_lists.size(); ++i) {
      streams += (i == 0 ? "" : ", ") + std::string("{\"name\": \"s") + std::to_string(i) + "\", \"topics\": [" +
                 topic_lists[i] + "]}";
    }
    return ParseInDir(Replace(Minimal(), R"({"name": "telemetry", "topics": ["a/{device}/b"]})", streams));
  }
  static const document::Problem& Only(const Loaded& loaded) {
    static const document::Problem none;
    EXPECT_EQ(loaded.problems.size(), 1U) << All(loaded);
    return loaded.problems.empty() ? none : loaded.problems[0];
  }
};

TEST_F(TopicRuleTest, DisjointFiltersAreFine) {
  const Loaded loaded = Streams({R"("a/+/b", "a/+/c")", R"("a/{x}/d", "b/#")"});
  EXPECT_TRUE(loaded.problems.empty()) << All(loaded);
}

TEST_F(TopicRuleTest, AnInvalidFilterIsAnErrorAtItsPlace) {
  for (const char* topic : {"a/#/b", "a+/b", "a/{x", "{}/a", "{a}/{a}", "$share/group/a"}) {
    const Loaded loaded = Streams({"\"a/b\", \"" + std::string(topic) + "\""});
    EXPECT_FALSE(loaded.ok()) << topic;
    EXPECT_EQ(Only(loaded).path, "/streams/0/topics/1");
    EXPECT_NE(Only(loaded).message.find("is not a topic filter: "), std::string::npos);
  }
}

TEST_F(TopicRuleTest, PartialOverlapIsAnErrorThatNamesBoth) {
  const Loaded loaded = Streams({R"("a/+/x")", R"("a/b/+")"});
  EXPECT_FALSE(loaded.ok());
  EXPECT_EQ(Only(loaded).path, "/streams/1/topics/0");
  EXPECT_EQ(Only(loaded).value, "\"a/b/+\"");
  EXPECT_NE(Only(loaded).message.find("overlaps \"a/+/x\" of stream \"s0\""), std::string::npos);
}

TEST_F(TopicRuleTest, PartialOverlapWithinOneStreamIsAnError) {
  const Loaded loaded = Streams({R"("a/+/x", "a/b/+")"});
  EXPECT_FALSE(loaded.ok());
  EXPECT_EQ(Only(loaded).path, "/streams/0/topics/1");
}

TEST_F(TopicRuleTest, PartialOverlapThatAThirdFilterCoversIsOnlyAWarning) {
  const Loaded loaded = Streams({R"("a/+/x")", R"("a/b/+")", R"("a/#")"});
  EXPECT_TRUE(loaded.ok()) << All(loaded);
  ASSERT_EQ(loaded.problems.size(), 2U) << All(loaded);
  EXPECT_EQ(loaded.problems[0].path, "/streams/1/topics/0");
  EXPECT_EQ(loaded.problems[1].path, "/streams/2/topics/0");
}

TEST_F(TopicRuleTest, AStreamBehindAWiderOneIsShadowed) {
  const Loaded loaded = Streams({R"("a/#")", R"("a/{device}/b")"});
  EXPECT_TRUE(loaded.ok()) << All(loaded);
  EXPECT_EQ(Only(loaded).severity, document::Problem::Severity::kWarning);
  EXPECT_EQ(Only(loaded).path, "/streams/1/topics/0");
  EXPECT_NE(Only(loaded).message.find("is shadowed"), std::string::npos);
  EXPECT_NE(Only(loaded).message.find("\"a/#\" of stream \"s0\""), std::string::npos);
}

TEST_F(TopicRuleTest, TheSameFilterUnderOtherCaptureNamesIsShadowed) {
  const Loaded loaded = Streams({R"("a/{device}")", R"("a/{thing}")"});
  EXPECT_TRUE(loaded.ok()) << All(loaded);
  EXPECT_NE(Only(loaded).message.find("is shadowed"), std::string::npos);
}

TEST_F(TopicRuleTest, ANarrowStreamBeforeAWiderOneWarnsWhereMessagesGo) {
  const Loaded loaded = Streams({R"("a/{device}/alarm")", R"("a/#")"});
  EXPECT_TRUE(loaded.ok()) << All(loaded);
  EXPECT_EQ(Only(loaded).path, "/streams/1/topics/0");
  EXPECT_NE(Only(loaded).message.find("goes to that stream, because it stands earlier"), std::string::npos);
}

TEST_F(TopicRuleTest, ANeedlessFilterOfTheSameStreamWarns) {
  EXPECT_NE(Only(Streams({R"("a/#", "a/b")"})).message.find("adds nothing"), std::string::npos);
  EXPECT_NE(Only(Streams({R"("a/b", "a/#")"})).message.find("needless"), std::string::npos);
}

TEST_F(TopicRuleTest, FiltersOfDifferentSourcesMayOverlap) {
  const Loaded loaded = ParseInDir(R"({"gateway": {"id": "g"},
    "sources": [{"name": "a", "urls": ["mqtt://localhost"]}, {"name": "b", "urls": ["mqtt://localhost:1884"]}],
    "streams": [{"name": "s", "source": "a", "topics": ["x/+/y"]}, {"name": "t", "source": "b", "topics": ["x/z/+"]}],
    "destinations": [{"name": "d", "url": "https://x"}]})");
  EXPECT_TRUE(loaded.problems.empty()) << All(loaded);
}

TEST_F(TopicRuleTest, AStreamWithoutSourceSharesTheOnlySource) {
  const Loaded loaded = ParseInDir(
      Replace(Minimal(), R"({"name": "telemetry", "topics": ["a/{device}/b"]})",
              R"({"name": "s", "source": "plant", "topics": ["x/+/y"]}, {"name": "t", "topics": ["x/z/+"]})"));
  EXPECT_FALSE(loaded.ok());
}

TEST_F(TopicRuleTest, MoreThan1024FiltersOfASourceAreRefused) {
  std::vector<std::string> lists;
  for (int stream = 0; stream < 17; ++stream) {
    std::string list;
    for (int i = 0; i < 61; ++i) {
      list += (i == 0 ? "\"" : ", \"") + std::to_string(stream) + "/" + std::to_string(i) + "\"";
    }
    lists.push_back(list);
  }
  const Loaded loaded = Streams(lists);  // 1,037
  EXPECT_FALSE(loaded.ok());
  EXPECT_NE(Only(loaded).allowed.find("at most 1024 for one source"), std::string::npos);
  lists.pop_back();
  EXPECT_TRUE(Streams(lists).problems.empty());
}

}  // namespace
}  // namespace packhorse::config
