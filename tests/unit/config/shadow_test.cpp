// A destination that is only tried.
#include <gmock/gmock.h>

#include "config_fixture.h"

namespace packhorse::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(ConfigTest, ShadowThatIsAllThereIsIsRefused) {
  const Loaded loaded = ParseInDir(Minimal({.destination = "\"shadow\": true"}));
  ASSERT_EQ(loaded.problems.size(), 1U) << All(loaded);
  EXPECT_EQ(loaded.problems[0].path, "/destinations/0/shadow");
  EXPECT_THAT(loaded.problems[0].message, HasSubstr("nothing would be delivered"));
}

class ShadowConfigTest : public ConfigTest {
 protected:
  Loaded With(const std::string& shadow, const std::string& targets) const {
    return ParseInDir(Minimal(
        {.stream = "\"destinations\": " + targets,
         .destination = "\"shadow\": true" + shadow + R"(}, {"name": "real", "url": "https://real.example.com")"}));
  }
  std::string Problem(const std::string& shadow, const std::string& targets = R"(["cloud", "real"])") const {
    const Loaded loaded = With(shadow, targets);
    EXPECT_FALSE(loaded.ok());
    return All(loaded);
  }
};

TEST_F(ShadowConfigTest, ShadowsStandApart) {
  const Loaded loaded = With("", R"(["cloud", "real"])");
  ASSERT_TRUE(loaded.problems.empty()) << All(loaded);
  ASSERT_EQ(loaded.config.destinations.size(), 1U);
  EXPECT_EQ(loaded.config.destinations[0].name, "real");
  EXPECT_EQ(loaded.config.destinations[0].place.index, 1U) << "where it stands in the file";
  ASSERT_EQ(loaded.config.shadows.size(), 1U);
  EXPECT_EQ(loaded.config.shadows[0].name, "cloud");
  EXPECT_THAT(loaded.config.streams[0].destinations, ElementsAre("real"));
  EXPECT_THAT(loaded.config.streams[0].shadows, ElementsAre("cloud"));
}

TEST_F(ShadowConfigTest, WhatHasNoMeaningForItIsRefused) {
  EXPECT_THAT(Problem("", R"(["cloud"])"), HasSubstr("/streams/0/destinations: only shadows get this stream"));
  EXPECT_THAT(Problem(R"(, "rollout": {"contract": "acme@2"})"), HasSubstr("/destinations/0/rollout: "));
  EXPECT_THAT(Problem(R"(, "start": "oldest")"), HasSubstr("/destinations/0/start: "));
}

}  // namespace
}  // namespace packhorse::config
