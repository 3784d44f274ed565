#include "monitor/reasons.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "since.h"

namespace packhorse::monitor {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

delivery::DestinationStatus Cloud() {
  delivery::DestinationStatus cloud;
  cloud.name = "cloud";
  cloud.reached = true;
  return cloud;
}

std::vector<std::string> Texts(const std::vector<Reason>& reasons) {
  std::vector<std::string> texts;
  for (const Reason& reason : reasons) {
    texts.push_back((reason.degrades ? "" : "(") + reason.text + (reason.degrades ? "" : ")"));
  }
  return texts;
}

std::vector<std::string> Texts(const delivery::DestinationStatus& destination, seconds running = seconds(3'600)) {
  return Texts(ReasonsOf(destination, Course{std::nullopt, running}));
}

TEST(DestinationReasons, OneThatAnswersHasNone) { EXPECT_THAT(Texts(Cloud()), IsEmpty()); }

TEST(DestinationReasons, ACloudThatNeverAnsweredIsNamedAndDegradesOnceSomethingWaits) {
  delivery::DestinationStatus cloud = Cloud();
  cloud.reached = false;
  EXPECT_THAT(Texts(cloud),
              ElementsAre("(destination 'cloud': never reached yet: nothing had to be sent since the start)"));
  cloud.pending = 3;
  cloud.requests = 1;
  EXPECT_THAT(Texts(cloud), ElementsAre("destination 'cloud': never reached yet: no reply so far"));
  cloud.last_error = "connection refused";
  EXPECT_THAT(Texts(cloud), ElementsAre("destination 'cloud': never reached yet: connection refused"));
  cloud.reached = true;
  EXPECT_THAT(Texts(cloud), IsEmpty());
}

TEST(DestinationReasons, ACloudThatCannotBeReachedDegradesBeforeTheFirstMessage) {
  delivery::DestinationStatus cloud = Cloud();
  cloud.reached = false;
  cloud.unreachable = "cloud.example: no such host";
  EXPECT_THAT(Texts(cloud), ElementsAre("destination 'cloud': never reached yet: cloud.example: no such host"));
}

TEST(DestinationReasons, TheFirstReplyMayTakeAMoment) {
  delivery::DestinationStatus cloud = Cloud();
  cloud.reached = false;
  cloud.pending = 3;
  cloud.requests = 1;
  EXPECT_THAT(Texts(cloud, seconds(9)), ElementsAre("(destination 'cloud': never reached yet: no reply so far)"));
  EXPECT_THAT(Texts(cloud, seconds(10)), ElementsAre("destination 'cloud': never reached yet: no reply so far"));
}

TEST(DestinationReasons, SlowRepliesAreNamed) {
  delivery::DestinationStatus cloud = Cloud();
  cloud.recent_p50 = std::chrono::milliseconds(4'990);
  EXPECT_THAT(Texts(cloud), IsEmpty());
  cloud.recent_p50 = std::chrono::milliseconds(15'020);
  EXPECT_THAT(Texts(cloud),
              ElementsAre("destination 'cloud': slow: half of the replies of the last minute took 15.0 s or more"));
}

TEST(DestinationReasons, ABacklogThatGrowsIsNamedUnlessNothingGoesOutAnyway) {
  delivery::DestinationStatus cloud = Cloud();
  const Course course{health::Growth::Grown{100, 1'300, seconds(150)}, seconds(3'600)};
  EXPECT_THAT(Texts(ReasonsOf(cloud, course)),
              ElementsAre("destination 'cloud': backlog grows: 1300 messages wait, 1200 more than 150 s before"));
  cloud.state = limit::CircuitState::kHeld;
  cloud.since = kSince;
  cloud.reason = "HTTP 404";
  EXPECT_THAT(Texts(ReasonsOf(cloud, course)),
              ElementsAre("destination 'cloud' is held since 2026-11-20T08:12:01Z: HTTP 404"));
}

TEST(SourceReasons, OneThatIsNotConnectedSaysSinceWhenWeAreBlind) {
  ingest::SourceStatus plant;
  plant.name = "plant";
  plant.state = ingest::SourceState::kConnected;
  plant.since = kSince;
  EXPECT_THAT(ReasonsOf(plant), IsEmpty());
  plant.state = ingest::SourceState::kDown;
  plant.reason = "connection refused";
  EXPECT_THAT(Texts(ReasonsOf(plant)),
              ElementsAre("source 'plant' is down, blind since 2026-11-20T08:12:01Z: connection refused"));
}

}  // namespace
}  // namespace packhorse::monitor
