#include "monitor/expiries.h"

#include <gmock/gmock.h>

namespace packhorse::monitor {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const WallTime kNow{1'795'000'000s};
constexpr auto kDay = 24h;

Expiring Ending(std::chrono::hours in, std::string what = "the client certificate",
                std::string owner = "destination cloud") {
  return {std::move(owner), std::move(what), kNow + in};
}

std::vector<std::string> Names(const health::Events& events) {
  std::vector<std::string> names;
  for (const health::Event& event : events.Open()) {
    names.push_back(std::string(health::Name(event.severity)) + " " + event.name + " " + event.subject);
  }
  return names;
}

TEST(Expiries, BecomeWorseThirtySevenAndOneDayBeforeAndEndWhenRenewed) {
  health::Events events;
  const std::vector<Expiring> all = {Ending(31 * kDay)};
  const auto after = [&](std::chrono::hours time) {
    FollowExpiries(all, events, kNow + time);
    return Names(events);
  };
  EXPECT_THAT(after(0h), IsEmpty());
  EXPECT_THAT(after(1 * kDay), ElementsAre("P3 credential_expires destination cloud"));
  EXPECT_THAT(after(23 * kDay), ElementsAre("P3 credential_expires destination cloud"));
  EXPECT_THAT(after(24 * kDay), ElementsAre("P2 credential_expires_soon destination cloud"));
  EXPECT_THAT(after(30 * kDay), ElementsAre("P1 credential_expires_now destination cloud"));
  EXPECT_THAT(events.Open()[0].message, HasSubstr("in 1 day"));
  EXPECT_THAT(after(40 * kDay), ElementsAre("P1 credential_expires_now destination cloud"));
  EXPECT_THAT(events.Open()[0].message, HasSubstr("has ended on"));
  FollowExpiries({{"destination cloud", "the client certificate", kNow + 400 * kDay}}, events, kNow + 40 * kDay);
  EXPECT_THAT(Names(events), IsEmpty());
}

TEST(Expiries, OfOneOwnerAreOneEventAndSoonestFirst) {
  health::Events events;
  FollowExpiries({Ending(20 * kDay), Ending(10 * kDay, "the token"), Ending(3 * kDay, "the authorities"),
                  Ending(9 * kDay, "the token", "source plant")},
                 events, kNow);
  EXPECT_THAT(Names(events), testing::UnorderedElementsAre("P2 credential_expires_soon destination cloud",
                                                           "P3 credential_expires destination cloud",
                                                           "P3 credential_expires source plant"));
  for (const health::Event& event : events.Open()) {
    if (event.severity == health::Severity::kP3 && event.subject == "destination cloud") {
      EXPECT_THAT(event.message, testing::MatchesRegex("the token ends on .*, in 10 days; the client certificate .*"));
    }
  }
}

TEST(Expiries, OfWhatIsNotConfiguredAnyMoreEndAndOtherEventsStay) {
  health::Events events;
  events.Raise("source_down", "plant", "away", kNow);
  FollowExpiries({Ending(2h)}, events, kNow);
  FollowExpiries({}, events, kNow);
  EXPECT_THAT(Names(events), ElementsAre("P0 source_down plant"));
}

}  // namespace
}  // namespace packhorse::monitor
