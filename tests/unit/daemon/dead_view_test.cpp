#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

#include "common/dead_json.h"
#include "common/queue_json.h"
#include "packhorse/views.h"

namespace packhorse::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

// Dead letters and suspects, from the queue's values to what people see.
class DeadViews : public testing::Test {
 protected:
  DeadViews() {
    setenv("TZ", "UTC", 1);
    tzset();
    suspect.id = 7;
    suspect.destination = "cloud";
    suspect.stream_name = "telemetry";
    suspect.lane = Lane::kNormal;
    suspect.sequence = 1001;
    suspect.record_id = "k3f9.n.1001";
    suspect.set_aside_at = now;
    suspect.suspicion = {"fails",
                         "Internal Server Error",
                         "req-7",
                         500,
                         3,
                         *ParseTime("2026-11-20T08:00:00Z"),
                         *ParseTime("2026-11-20T09:00:00Z")};
    suspect.message.topic = "site/a/dev/17";
    suspect.message.payload = R"({"t":1})";
    letter.id = 5;
    letter.destination = "cloud";
    letter.record_id = "k3f9.n.900";
    letter.reason = "rejected";
    letter.http_status = 422;
    letter.died_at = now;
  }

  // In one line, however it was wrapped.
  static std::string Flat(const std::string& text) {
    std::string flat;
    for (const char c : text) {
      const bool space = c == ' ' || c == '\n';
      if (!space || flat.empty() || flat.back() != ' ') {
        flat += space ? ' ' : c;
      }
    }
    return flat;
  }

  const Style plain{false};
  const WallTime now = *ParseTime("2026-11-20T09:15:31Z");
  queue::Suspect suspect;
  queue::DeadLetter letter;
};

TEST_F(DeadViews, ListShowsBothInTheOrderOfTheirIdsAndTellsThemApart) {
  const std::string text = DeadListText(daemon::DeadListJson({letter}, {suspect}, 10), plain, now);
  EXPECT_LT(text.find("k3f9.n.900"), text.find("k3f9.n.1001"));
  EXPECT_THAT(text, HasSubstr("suspect"));
  EXPECT_THAT(text, HasSubstr("dead "));
  EXPECT_THAT(text, HasSubstr("fails (500)"));
  EXPECT_THAT(text, Not(HasSubstr("there are more")));
}

TEST_F(DeadViews, PageEndsBehindItsLastId) {
  const std::string text = DeadListText(daemon::DeadListJson({letter}, {suspect}, 1), plain, now);
  EXPECT_THAT(text, HasSubstr("k3f9.n.900"));
  EXPECT_THAT(text, Not(HasSubstr("k3f9.n.1001")));
  EXPECT_THAT(text, HasSubstr("packhorse dead list --after 5"));
}

TEST_F(DeadViews, SuspectIsShownWithWhatIsKnownAgainstIt) {
  const std::string json = daemon::OneSuspectJson(suspect);
  EXPECT_THAT(json, HasSubstr(R"("state":"suspect")"));
  EXPECT_THAT(json, HasSubstr(R"("refusals":3)"));
  EXPECT_THAT(json, HasSubstr(R"("first_refused_at":"2026-11-20T08:00:00.000000Z")"));
  EXPECT_THAT(json, HasSubstr(R"("last_refused_at":"2026-11-20T09:00:00.000000Z")"));
  const std::string text = Flat(DeadLetterText(json, plain, now));
  EXPECT_THAT(text, HasSubstr("suspect 7"));
  EXPECT_THAT(text, HasSubstr("3 times"));
  EXPECT_THAT(text, HasSubstr("Internal Server Error"));
  EXPECT_THAT(text, HasSubstr("packhorse dead replay 7"));
  EXPECT_THAT(text, HasSubstr("packhorse dead drop 7"));
  EXPECT_THAT(text, HasSubstr(R"({"t":1})"));
}

TEST_F(DeadViews, WhereAnswersThatARecordIsSetAside) {
  queue::MessageTrace found;
  found.lane = Lane::kNormal;
  found.sequence = 1001;
  found.last = 2000;
  found.given = true;
  queue::Place place;
  place.destination = "cloud";
  place.state = queue::PlaceState::kSetAside;
  place.set_aside.push_back(suspect);
  found.places.push_back(place);
  const std::string json = daemon::WhereJson({"k3f9", Lane::kNormal, 1001, std::nullopt}, found);
  EXPECT_THAT(json, HasSubstr(R"("state":"set_aside")"));
  const std::string text = Flat(WhereText(json, plain, now));
  EXPECT_THAT(text, HasSubstr("set aside"));
  EXPECT_THAT(text, HasSubstr("refused 3 times, HTTP status 500: fails"));
  EXPECT_THAT(text, HasSubstr("packhorse dead show 7"));
}

}  // namespace
}  // namespace packhorse::cli
