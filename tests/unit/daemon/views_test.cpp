#include "packhorse/views.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

namespace packhorse::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

class Views : public testing::Test {
 protected:
  Views() {
    setenv("TZ", "UTC", 1);
    tzset();
  }
  const Style plain{false};
  const WallTime now = *ParseTime("2026-11-20T09:15:31Z");
};

constexpr char kHeld[] = R"({"state":"degraded","version":"0.1.0","gateway":{"id":"gw-1"},
  "reasons":["destination 'cloud' is held since 2026-11-20T09:12:01Z: HTTP 404 Not Found"],
  "sources":[{"name":"plant","state":"connected","since":"2026-11-20T09:00:00Z","received":1234,"url":"mqtt://127.0.0.1:1883"}],
  "streams":[{"name":"t","lane":"normal","topics":["a/+"],"received":1234,"pending":34}],
  "queue":{"messages":34,"bytes":2048,"max_bytes":1048576,"dead_letters":2},
  "destinations":[{"name":"cloud","state":"held","reason":"HTTP 404 Not Found","pending":34,"next_attempt_in_ms":40000}],
  "ledger":{"received":1234,"delivered":1200,"pending":34,"balanced":true}})";

TEST_F(Views, StatusSaysFirstWhatIsWrongAndThenWhatToDo) {
  const std::string text = StatusText(kHeld, plain, now);
  EXPECT_EQ(StateOf(kHeld), "degraded");
  EXPECT_EQ(text.find("packhorse 0.1.0, gateway gw-1: degraded\n"), 0U) << text;
  const std::size_t wrong = text.find("! destination 'cloud' is held since 09:12:01 (3 min): HTTP 404 Not Found");
  const std::size_t hint = text.find("> destination cloud: check its url");
  const std::size_t rest = text.find("SOURCE");
  EXPECT_LT(wrong, hint) << text;
  EXPECT_LT(hint, rest) << text;
  EXPECT_THAT(text, HasSubstr("packhorse dead list"));
  EXPECT_THAT(text, HasSubstr("next attempt in 40.0 s"));
  EXPECT_THAT(text, HasSubstr("received 1,234 = delivered 1,200 + pending 34"));
}

TEST_F(Views, StatusShowsTheLimitsThatAnApiAnnounces) {
  const std::string text = StatusText(R"({"destinations":[{"name":"c","announced_limits":[
      {"name":"burst","unit":"requests","count":1000,"per_s":60,"left":40,"resets_at":"2026-11-20T09:16:00Z"},
      {"name":"size","unit":"bytes","count":1048576,"per_s":3600,"left":null,"resets_at":null},
      {"name":"c","unit":"requests","count":4,"at_once":true,"per_s":null,"left":null,"resets_at":null},
      {"name":"x-ratelimit","unit":"requests","count":null,"per_s":null,"left":0,"resets_at":"2026-11-20T09:20:00Z"}]}]})",
                                      plain, now);
  EXPECT_THAT(text, HasSubstr("c: the API announces 1,000 requests per 1m, 40 left until 09:16:00\n"));
  EXPECT_THAT(text, HasSubstr("c: the API announces 1.0 MiB per 1h\n"));
  EXPECT_THAT(text, HasSubstr("c: the API announces 4 requests at once\n"));
  EXPECT_THAT(text, HasSubstr("c: the API announces a limit of requests, 0 left until 09:20:00\n"));
}

TEST_F(Views, StatusSaysWhatADestinationThatIsWellWaitsFor) {
  const auto shown = [&](const std::string& wait, const std::string& what) {
    return StatusText(
        R"({"destinations":[{"name":"c","state":"ok","next_attempt_in_ms":)" + wait + R"(,"waits_for":)" + what + "}]}",
        plain, now);
  };
  EXPECT_THAT(shown("1500000", R"("announced_limit")"),
              HasSubstr("c: next attempt in 25m, by what the API announces\n"));
  EXPECT_THAT(shown("5000", R"("learnt_rate")"),
              HasSubstr("c: next attempt in 5.0 s, at the rate that was learnt of the API\n"));
  EXPECT_THAT(shown("300", R"("learnt_rate")"), Not(HasSubstr("next attempt")));
  EXPECT_THAT(shown("null", "null"), Not(HasSubstr("next attempt")));
}

TEST_F(Views, ResumeSaysWhatItForgot) {
  EXPECT_EQ(ForgottenText(R"({"destinations":1,"forgotten":[]})"), "");
  EXPECT_EQ(ForgottenText(R"({"forgotten":[{"destination":"a","requests_per_second":0.02,"announced_limits":2},
                                           {"destination":"b","requests_per_second":null,"announced_limits":1}]})"),
            "    a: forgotten: the learnt rate of 1.2 requests per minute and 2 announced limits\n"
            "    b: forgotten: 1 announced limit\n");
}

TEST_F(Views, StatusTellsOfAClockThatIsNotRight) {
  EXPECT_THAT(StatusText(R"({"clock":"synchronized","boot_clock":{"withholds":false}})", plain, now),
              Not(HasSubstr("CLOCK")));
  EXPECT_THAT(StatusText(R"({"clock":"unsynchronized","boot_clock":{"withholds":false}})", plain, now),
              HasSubstr("timedatectl"));
  EXPECT_THAT(StatusText(R"({"clock":"unsynchronized","boot_clock":{"withholds":true}})", plain, now),
              HasSubstr("waits for it"));
}

TEST_F(Views, ATokenThatIsRefusedGetsItsOwnHint) {
  const std::string json = R"({"destinations":[{"name":"cloud","state":"held","reason":"HTTP 401 Unauthorized"}]})";
  EXPECT_THAT(StatusText(json, plain, now), HasSubstr("check its token or key"));
}

TEST_F(Views, LinesOfStatusFitEightyColumns) {
  std::string line;
  for (const char c : StatusText(kHeld, plain, now)) {
    if (c == '\n') {
      EXPECT_LE(line.size(), 80U) << line;
      line.clear();
    } else {
      line += c;
    }
  }
}

TEST_F(Views, ReloadSaysWhichContractWasRefusedWithEveryMistake) {
  const std::string json = R"({"applied":true,"problems":[],"changes":[],"refused":[
      {"name":"acme@1.0","kept":true,"mistakes":["/c/acme@1.0.json: /a: is no verdict","/c/acme@1.0.json: /b: unknown"]},
      {"name":"tables/ids","kept":false,"mistakes":["/c/tables/ids.json: /d2: is an object"]}]})";
  const std::string text = ReloadText(json, plain);
  EXPECT_FALSE(ReloadComplete(json));
  EXPECT_THAT(text, HasSubstr("refused: contract 'acme@1.0'; what was read before stays in force\n"
                              "  ! /c/acme@1.0.json: /a: is no verdict\n"));
  EXPECT_THAT(text, HasSubstr("  ! /c/acme@1.0.json: /b: unknown\n"));
  EXPECT_THAT(text, HasSubstr("refused: table 'ids'; nothing of it was read before\n"));
  EXPECT_THAT(text, HasSubstr("the configuration is in force\n"));
  EXPECT_THAT(text, HasSubstr("packhorse check"));
  EXPECT_TRUE(ReloadComplete(R"({"applied":true,"problems":["a warning"],"changes":[],"refused":[]})"));
}

TEST_F(Views, StatusTellsPreparedRequestsOnTheWayWhatIsSetAsideAndWhatToDoAboutARefusedContract) {
  const std::string text = StatusText(R"({"destinations":[{"name":"c","state":"ok","in_flight":5,"requests_in_flight":2,
      "max_in_flight":4,"backlog":7,"backlog_eta_s":30,"suspects":3}],
      "events":[{"name":"contract_refused","subject":"acme@1.0","severity":"P2"}]})",
                                      plain, now);
  EXPECT_THAT(text, HasSubstr("PREPARED"));
  EXPECT_THAT(text, Not(HasSubstr("IN FLIGHT")));
  EXPECT_THAT(text, HasSubstr("c: 2 requests on the way, of at most 4\n"));
  EXPECT_THAT(text, HasSubstr("gone in about 30 s; besides 3 set aside\n"));
  EXPECT_THAT(text, HasSubstr("> mend acme@1.0: packhorse check names every mistake, then: packhorse reload"));
}

TEST_F(Views, AnswersThatAreNotWhatTheyShouldBeAreShownAsFarAsTheyGo) {
  for (const char* json : {"", "null", "[]", "{", R"({"sources":5,"queue":[],"ledger":"x","destinations":[1,null,{}]})",
                           R"({"rows":[{}],"total":7,"open":{},"recent":[[]],"dead_letters":[null]})"}) {
    EXPECT_FALSE(StatusText(json, plain, now).empty()) << json;
    EXPECT_FALSE(QueueText(json, plain, now).empty()) << json;
    EXPECT_FALSE(LedgerText(json, plain).empty()) << json;
    EXPECT_FALSE(EventsText(json, plain, now).empty()) << json;
    EXPECT_FALSE(DeadListText(json, plain, now).empty()) << json;
    EXPECT_FALSE(DeadLetterText(json, plain, now).empty()) << json;
    EXPECT_FALSE(ReplayText(json).empty()) << json;
    EXPECT_FALSE(ReloadText(json, plain).empty()) << json;
    EXPECT_FALSE(RecordText(json, plain).empty()) << json;
    EXPECT_FALSE(TailLine(json, plain, now).empty()) << json;
    EXPECT_FALSE(LedgerBalanced(json));
    EXPECT_FALSE(ReloadComplete(json));
    EXPECT_FALSE(IsRecord(json));
  }
}

TEST_F(Views, AProvidersWordsCannotControlTheTerminal) {
  const std::string text = DeadLetterText(R"({"id":1,"detail":"\u001b[2Jgone","payload":"\u0007"})", plain, now);
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  EXPECT_THAT(text, HasSubstr("?[2Jgone"));
}

TEST_F(Views, LedgerNamesWhyMessagesWereDroppedOrSkipped) {
  const std::string text = LedgerText(
      R"({"balanced":false,"checked":true,"problems":["stream t: 3 missing"],"total":{"received":5,"unrouted":9},
          "rows":[{"stream":"t","destination":"c","received":5,"dropped":2,"drop_reasons":{"retained_repeat":2},
                   "skipped":3,"skip_reasons":{"too_old":1,"kind":2}}]})",
      plain);
  EXPECT_THAT(text, HasSubstr("! stream t: 3 missing"));
  EXPECT_THAT(text, HasSubstr("dropped 2 (retained_repeat)"));
  EXPECT_THAT(text, HasSubstr("t to c: skipped 1 (too_old)"));
  EXPECT_THAT(text, HasSubstr("t to c: skipped 2 (kind)"));
  EXPECT_THAT(text, HasSubstr("NOT BALANCED, recounted"));
}

TEST_F(Views, ReplaysShowHowFarTheyAreAndStatusShowsThoseThatRun) {
  const char* json =
      R"({"replays":[{"id":3,"stream":"t","destination":"c","state":"running","progress":0.415,"messages":2000,
          "skipped":7,"records":2000,"delivered":1900,"refused":1,"from":"2026-11-20T07:00:00Z",
          "to":"2026-11-20T08:00:00Z","asked_at":"2026-11-20T09:00:00Z","ended_at":null}],
          "destinations":[{"name":"c"},{"name":"d"}]})";
  const std::string list = ReplaysText(json, plain, now);
  EXPECT_THAT(list, HasSubstr("41 %"));
  EXPECT_THAT(list, HasSubstr("2,000"));
  EXPECT_THAT(list, HasSubstr("what arrived from 07:00:00"));
  EXPECT_THAT(StatusText(json, plain, now), HasSubstr("c: replay 3 of stream t, 41 %, 2,000 messages sent again"));
  EXPECT_EQ(ReplaysText("{}", plain, now), "no replays\n");
  EXPECT_THAT(
      ReplayStartedText(R"({"id":3,"from":"2026-11-20T07:00:00Z","stored_from":"2026-11-20T07:30:00Z"})", plain, now),
      HasSubstr("! from before 07:30:00"));
}

TEST_F(Views, ReconcileShowsWhatDiffersAndWhatMendsIt) {
  const std::string equal = R"({"destination":"c","state":"equal","equal":168,"unsure":1,"explained":2,
      "difference_count":0,"differences":[],"from":"2026-11-13T09:00:00Z","to":"2026-11-20T08:00:00Z"})";
  EXPECT_THAT(ReconcileText(R"({"destinations":[)" + equal + "]}", plain, now),
              HasSubstr("destination c: no difference, 168 are equal, 1 have records on their way, 2 have more in the "
                        "cloud for a known reason; from "));
  EXPECT_TRUE(ReconcileEqual(R"({"destinations":[)" + equal + R"(,{"destination":"d","state":"not_offered"}]})"));
  const std::string differs = R"({"destination":"c","state":"differs","equal":1,"difference_count":2,"differences":[
      {"stream":"t","hour":"2026-11-20T05:00:00Z","what":"missing","delivered":3600,"cloud":3599,"replay":"packhorse replay X"},
      {"stream":"t","hour":"2026-11-20T06:00:00Z","what":"other","delivered":7,"cloud":7}]})";
  const std::string text = ReconcileText(R"({"destinations":[)" + differs + "]}", plain, now);
  for (const char* part : {"2 hours differ", "3,599", "as many, but others", "    packhorse replay X\n"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  EXPECT_FALSE(ReconcileEqual(R"({"destinations":[)" + differs + "]}"));
  EXPECT_FALSE(ReconcileEqual(R"({"destinations":[{"destination":"c","state":"failed","problem":"x"}]})"));
}

TEST_F(Views, TailShowsRecordsQuarantineAndGapsButNoSignsOfLife) {
  EXPECT_EQ(TailLine(R"({"outcome":"alive"})", plain, now), "");
  EXPECT_THAT(TailLine(R"({"outcome":"skipped","messages":7})", plain, now), HasSubstr("7 messages not shown"));
  EXPECT_EQ(TailLine(R"({"outcome":"quarantine","topic":"a","reason":"invalid_json","detail":"byte 1"})", plain, now),
            "- quarantine a: invalid_json, byte 1\n");
  const char* record =
      R"({"record_id":"q.n.1","stream":"t","device_id":"17","server_received_at":"2026-11-20T09:12:01.123456Z",
      "measurements":{"temperature":{"value":21.5,"unit":"Cel"},"seq":{"value":18446744073709551615}},
      "attributes":{"fw":"1.4"},"flags":["retained"]})";
  EXPECT_TRUE(IsRecord(record));
  EXPECT_EQ(TailLine(record, plain, now),
            "09:12:01 t 17 temperature=21.5 Cel seq=18446744073709551615 fw=1.4 [retained]\n");
}

TEST_F(Views, EventsShowWhatIsOpenBeforeWhatIsResolved) {
  const std::string text = EventsText(
      R"({"open":[{"severity":"P0","name":"source_down","subject":"plant","message":"gone","since":"2026-11-20T09:12:01Z","count":1}],
          "recent":[{"severity":"P1","name":"session_lost","subject":"plant","message":"m","since":"2026-11-20T09:00:00Z",
                     "resolved_at":"2026-11-20T09:00:00Z","count":3}]})",
      plain, now);
  EXPECT_LT(text.find("P0 source_down 'plant' since 09:12:01 (3 min): gone"), text.find("P1 session_lost")) << text;
  EXPECT_THAT(text, HasSubstr("3 times"));
}

}  // namespace
}  // namespace packhorse::cli
