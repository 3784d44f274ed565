// A newer contract that comes into use step by step.
#include <gmock/gmock.h>

#include "config_fixture.h"

namespace packhorse::config {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

class RolloutConfigTest : public ConfigTest {
 protected:
  Loaded With(const std::string& rollout) const {
    return ParseInDir(Minimal({.destination = "\"rollout\": " + rollout}));
  }
  // The only problem, at this place.
  std::string Problem(const std::string& rollout, const std::string& path) const {
    const Loaded loaded = With(rollout);
    EXPECT_EQ(loaded.problems.size(), 1U) << rollout << "\n" << All(loaded);
    if (loaded.problems.empty()) {
      return "";
    }
    EXPECT_EQ(loaded.problems[0].path, "/destinations/0/rollout" + path);
    return document::Describe(loaded.problems[0]);
  }
};

TEST_F(RolloutConfigTest, EverythingButTheContractHasADefault) {
  const Loaded loaded = With(R"({"contract": "acme@1.3"})");
  ASSERT_TRUE(loaded.problems.empty()) << All(loaded);
  const Rollout& rollout = loaded.config.destinations[0].rollout.value();
  EXPECT_EQ(rollout.contract, "acme@1.3");
  EXPECT_TRUE(rollout.devices.empty());
  EXPECT_THAT(rollout.steps, ElementsAre(1, 10, 50, 100));
  EXPECT_EQ(rollout.hold, 1h);
  EXPECT_EQ(rollout.min_records, 100U);
  EXPECT_DOUBLE_EQ(rollout.max_error_increase, 0.01);
}

TEST_F(RolloutConfigTest, EverythingReachesTheConfiguration) {
  const Loaded loaded = With(R"({"contract": "acme@2", "devices": ["press-1", "press-2"], "steps": [5, 100],
    "hold": "2d", "min_records": 5000, "max_error_increase": 0})");
  ASSERT_TRUE(loaded.problems.empty()) << All(loaded);
  const Rollout& rollout = loaded.config.destinations[0].rollout.value();
  EXPECT_THAT(rollout.devices, ElementsAre("press-1", "press-2"));
  EXPECT_THAT(rollout.steps, ElementsAre(5, 100));
  EXPECT_EQ(rollout.hold, 48h);
  EXPECT_EQ(rollout.min_records, 5000U);
  EXPECT_EQ(rollout.max_error_increase, 0);
}

TEST_F(RolloutConfigTest, NoneIsNone) {
  EXPECT_FALSE(ParseInDir(Minimal({})).config.destinations[0].rollout.has_value());
}

TEST_F(RolloutConfigTest, MistakesAreNamed) {
  EXPECT_THAT(Problem("{}", ""), HasSubstr("contract"));
  EXPECT_THAT(Problem(R"({"contract": "acme"})", "/contract"), HasSubstr("NAME@MAJOR"));
  EXPECT_THAT(Problem(R"({"contract": "acme@2", "steps": [1, 1, 100]})", "/steps/1"), HasSubstr("more than"));
  EXPECT_THAT(Problem(R"({"contract": "acme@2", "steps": [1, 10]})", "/steps/1"), HasSubstr("all devices"));
  EXPECT_THAT(Problem(R"({"contract": "acme@2", "steps": []})", "/steps"), HasSubstr("steps"));
  EXPECT_THAT(Problem(R"({"contract": "acme@2", "steps": [0, 100]})", "/steps/0"), HasSubstr("1"));
  EXPECT_THAT(Problem(R"({"contract": "acme@2", "hold": "0s"})", "/hold"), HasSubstr("1s"));
  EXPECT_THAT(Problem(R"({"contract": "acme@2", "max_error_increase": 2})", "/max_error_increase"), HasSubstr("1"));
  EXPECT_THAT(Problem(R"({"contract": "acme@2", "devices": ["a", "a"]})", "/devices/1"), HasSubstr("twice"));
  EXPECT_THAT(Problem(R"({"contract": "acme@2", "stepz": [100]})", "/stepz"), HasSubstr("steps"));
}

}  // namespace
}  // namespace packhorse::config
