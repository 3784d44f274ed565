#include "config_fixture.h"

namespace packhorse::config {
namespace {

class OutcomesTest : public ConfigTest {
 protected:
  Loaded With(const std::string& outcomes) const {
    return ParseInDir(Minimal({.destination = R"("outcomes": )" + outcomes}));
  }
};

TEST_F(OutcomesTest, RulesAreThoseOfContracts) {
  const Loaded loaded = With(
      R"([{"status": 409, "verdict": "hold", "note": "ours"}, {"status": "5xx", "when": {"text": "*busy*"}, "verdict": "throttled"}])");
  ASSERT_TRUE(loaded.ok()) << All(loaded);
  const auto& rules = loaded.config.destinations.front().outcomes.rules;
  ASSERT_EQ(rules.size(), 2U);
  EXPECT_EQ(rules[0].verdict, contract::RuleVerdict::kHold);
  EXPECT_EQ(rules[1].when[0].wanted[0].text, "busy");
  Destination other = loaded.config.destinations.front();
  EXPECT_TRUE(other == loaded.config.destinations.front());
  other.outcomes.rules[0].verdict = contract::RuleVerdict::kRetry;
  EXPECT_FALSE(other == loaded.config.destinations.front()) << "a reload has to see it";
}

TEST_F(OutcomesTest, WithoutAnyTheCommonTableHolds) {
  const Loaded loaded = With("[]");
  ASSERT_TRUE(loaded.ok()) << All(loaded);
  EXPECT_TRUE(loaded.config.destinations.front().outcomes.rules.empty());
}

TEST_F(OutcomesTest, EachMistakeIsNamedAtItsPlaceWithASuggestion) {
  const std::string all = All(With(
      R"([{"status": "409", "verdict": "hold"}, {"status": 500, "verdict": "retri"}, {"status": 503, "verdct": "retry"}])"));
  EXPECT_NE(all.find("/destinations/0/outcomes/0/status: is a number in quotes"), std::string::npos) << all;
  EXPECT_NE(all.find("/destinations/0/outcomes/1/verdict"), std::string::npos) << all;
  EXPECT_NE(all.find("did you mean \"retry\"?"), std::string::npos) << all;
  EXPECT_NE(all.find("did you mean \"verdict\"?"), std::string::npos) << all;
}

}  // namespace
}  // namespace packhorse::config
