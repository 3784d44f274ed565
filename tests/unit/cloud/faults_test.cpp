#include "faults.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/manual_clock.h"

namespace packhorse::cloud::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

class Faults : public testing::Test {
 protected:
  void Set(const std::string& script) {
    const Status set = script_.Set(script, clock_.Mono());
    ASSERT_TRUE(set) << set.error().message;
  }
  FaultKind Next() { return script_.Next(clock_.Mono()).kind; }
  bool Down() { return script_.Down(clock_.Mono()); }

  packhorse::test::ManualClock clock_;
  FaultScript script_;
};

TEST_F(Faults, WithoutAScriptThereAreNone) {
  EXPECT_EQ(Next(), FaultKind::kNone);
  EXPECT_FALSE(Down());
}

TEST_F(Faults, StepsFollowEachOtherByRequests) {
  Set(R"([{"fault":"status","status":500,"requests":2},{"fault":"none","requests":1},{"fault":"reset","requests":1}])");
  EXPECT_EQ(Next(), FaultKind::kStatus);
  EXPECT_EQ(script_.Next(clock_.Mono()).status, 500);
  EXPECT_EQ(Next(), FaultKind::kNone);
  EXPECT_EQ(Next(), FaultKind::kReset);
  EXPECT_EQ(Next(), FaultKind::kNone);
}

TEST_F(Faults, StepsFollowEachOtherByTime) {
  Set(R"([{"fault":"slow","delay_ms":5,"seconds":2},{"fault":"html","seconds":1.5}])");
  clock_.Advance(milliseconds(1999));
  EXPECT_EQ(Next(), FaultKind::kSlow);
  clock_.Advance(milliseconds(1));
  EXPECT_EQ(Next(), FaultKind::kHtml);
  clock_.Advance(milliseconds(1500));
  EXPECT_EQ(Next(), FaultKind::kNone);
}

TEST_F(Faults, EveryHitsOnlyEachNthRequest) {
  Set(R"([{"fault":"lost_reply","requests":6,"every":3}])");
  std::string seen;
  for (int i = 0; i < 8; ++i) {
    seen += Next() == FaultKind::kLostReply ? 'x' : '.';
  }
  EXPECT_EQ(seen, "..x..x..");
}

TEST_F(Faults, ScriptRepeatsWhereAsked) {
  Set(R"({"steps":[{"fault":"reset","requests":1},{"fault":"none","requests":1}],"repeat":true})");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Next(), FaultKind::kReset);
    EXPECT_EQ(Next(), FaultKind::kNone);
  }
}

TEST_F(Faults, DownHoldsForItsTimeOnly) {
  Set(R"([{"fault":"none","seconds":1},{"fault":"down","seconds":2}])");
  EXPECT_FALSE(Down());
  clock_.Advance(seconds(1));
  EXPECT_TRUE(Down());
  clock_.Advance(seconds(2));
  EXPECT_FALSE(Down());
}

TEST_F(Faults, GoDownEndsByTimeOrByUp) {
  script_.GoDown(clock_.Mono() + seconds(1), clock_.Mono() + seconds(3));
  EXPECT_FALSE(Down());
  clock_.Advance(seconds(1));
  EXPECT_TRUE(Down());
  clock_.Advance(seconds(2));
  EXPECT_FALSE(Down());
  script_.GoDown(clock_.Mono(), std::nullopt);
  clock_.Advance(seconds(1000));
  EXPECT_TRUE(Down());
  script_.Up();
  EXPECT_FALSE(Down());
}

TEST_F(Faults, DetailsAreRead) {
  Set(R"([{"fault":"partial","requests":1,"device":"17","rejected":3,"retry":0,"headers":{"Retry-After":"7"}}])");
  const Fault fault = script_.Next(clock_.Mono());
  EXPECT_EQ(fault.status, 207);
  EXPECT_EQ(fault.device, "17");
  EXPECT_EQ(fault.rejected, 3U);
  EXPECT_EQ(fault.retry, 0U);
  ASSERT_EQ(fault.headers.size(), 1U);
  EXPECT_EQ(fault.headers[0].first, "Retry-After");
}

TEST_F(Faults, BadScriptIsRefusedWithItsStepAndTheOldOneStays) {
  Set(R"([{"fault":"reset","requests":100}])");
  const std::pair<const char*, const char*> bad[] = {
      {"", "JSON list"},
      {"{}", "JSON list"},
      {"[1]", "step 0: must be an object"},
      {R"([{"requests":1}])", "fault must be one of none, down, status"},
      {R"([{"fault":"flood","requests":1}])", "wrong_accepted"},
      {R"([{"fault":"none","requests":1},{"fault":"none"}])", "step 1: needs either requests"},
      {R"([{"fault":"none","requests":1,"seconds":1}])", "needs either requests"},
      {R"([{"fault":"none","seconds":0}])", "needs either requests"},
      {R"([{"fault":"down","requests":1}])", "down needs seconds"},
      {R"([{"fault":"none","requests":-1}])", "requests must be"},
      {R"([{"fault":"none","requests":1,"every":0}])", "every must be"},
      {R"([{"fault":"status","requests":1,"status":99}])", "status must be 200 to 599"},
      {R"([{"fault":"none","requests":1,"headers":{"a":1}}])", "headers must be"},
      {R"([{"fault":"none","requests":1,"device":1}])", "device must be text"},
      {R"([{"fault":"none","requests":1,"delay":1}])", "unknown member delay"},
  };
  for (const auto& [script, message] : bad) {
    const Status set = script_.Set(script, clock_.Mono());
    ASSERT_FALSE(set) << script;
    EXPECT_THAT(set.error().message, HasSubstr(message)) << script;
  }
  EXPECT_EQ(Next(), FaultKind::kReset);
}

}  // namespace
}  // namespace packhorse::cloud::test
