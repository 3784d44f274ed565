// What `lists`, `rest`, counts, `first_bad`, `partial_unknown` and `as` of a rule mean for the records.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "rules_builder.h"

namespace packhorse::outcome {
namespace {

using std::chrono::milliseconds;
using test::Http;
using test::Json;
using test::JudgeBy;
using test::Short;
using testing::HasSubstr;

const std::string kByPosition = R"([{"status":200,"lists":[{"each":"/r/*","by":"index","item":[
  {"when":{"/c":"ok"},"verdict":"accepted"},{"when":{"/c":"dup"},"verdict":"duplicate"},
  {"when":{"/c":"busy"},"verdict":"retry"},{"when":{"/c":"slow"},"verdict":"throttled"},
  {"when":{"/c":"big"},"verdict":"too_large","reason":"/m"},
  {"when":{"/c":"bad"},"verdict":"rejected","reason":"/m"}]}]}])";

// A reply that has one element for each code.
Reply Codes(const std::vector<std::string>& codes) {
  std::string list;
  for (const std::string& code : codes) {
    list += (list.empty() ? "" : ",") + (code == "null" ? code : R"({"c":")" + code + R"(","m":"words"})");
  }
  return Json(200, R"({"r":[)" + list + "]}");
}

TEST(ListByPosition, EachElementIsOneItem) {
  EXPECT_EQ(Short(JudgeBy(kByPosition, Codes({"ok", "ok", "ok"}))), "delivered");
  EXPECT_EQ(Short(JudgeBy(kByPosition, Codes({"ok", "dup", "dup"}))), "delivered") << "a duplicate is accepted";
  const Verdict verdict = JudgeBy(kByPosition, Codes({"ok", "busy", "bad"}));
  EXPECT_EQ(Short(verdict), "partial ARX");
  EXPECT_EQ(verdict.records[2].detail, "words");
  EXPECT_EQ(Short(JudgeBy(kByPosition, Codes({"big", "ok", "ok"}))), "partial XAA");
}

TEST(ListByPosition, AnElementThatNoRuleFitsOrThatIsNullIsSentAgainAndReported) {
  EXPECT_EQ(Short(JudgeBy(kByPosition, Codes({"ok", "new", "ok"}))), "partial ARA?");
  EXPECT_EQ(Short(JudgeBy(kByPosition, Codes({"ok", "null", "ok"}))), "partial ARA?");
  const std::string any = R"([{"lists":[{"each":"/r/*","by":"index","item":[{"verdict":"accepted"}]}]}])";
  EXPECT_EQ(Short(JudgeBy(any, Codes({"ok", "null", "ok"}))), "partial ARA?") << "whatever the rules say";
}

TEST(ListByPosition, OfAnotherLengthIsNotBelieved) {
  EXPECT_EQ(Short(JudgeBy(kByPosition, Codes({"ok", "bad"}))), "deviation");
  EXPECT_EQ(Short(JudgeBy(kByPosition, Codes({"ok", "ok", "ok", "ok"}))), "deviation");
  EXPECT_EQ(Short(JudgeBy(kByPosition, Codes({}))), "deviation");
  EXPECT_EQ(Short(JudgeBy(kByPosition, Json(200, R"({"r":{"0":{"c":"ok"}}})"))), "deviation");
  EXPECT_EQ(Short(JudgeBy(kByPosition, Json(200, R"({})"))), "deviation");
  EXPECT_EQ(Short(JudgeBy(kByPosition, Http(200))), "deviation");
}

TEST(ListByPosition, AShortOneIsBelievedWhereTheRuleSaysWhatIsLeft) {
  const std::string rules = R"([{"status":200,"rest":"retry","lists":[{"each":"/r/*","by":"index","item":[
      {"when":{"/c":"ok"},"verdict":"accepted"},{"verdict":"rejected","reason":"/m"}]}]}])";
  EXPECT_EQ(Short(JudgeBy(rules, Codes({"ok", "bad"}))), "partial AXR");
  EXPECT_EQ(Short(JudgeBy(rules, Codes({"ok", "ok", "ok", "ok"}))), "deviation");
}

TEST(Lists, AllThatAreThrottledMakeTheBatchWait) {
  const Verdict verdict = JudgeBy(kByPosition, Codes({"slow", "busy", "slow"}));
  EXPECT_EQ(verdict.action, Action::kThrottled);
  Reply some = Codes({"ok", "slow", "slow"});
  some.headers.emplace_back("retry-after", "7");
  EXPECT_EQ(Short(JudgeBy(kByPosition, some)), "partial ARR");
  EXPECT_EQ(JudgeBy(kByPosition, some).retry_after, milliseconds(7'000));
}

TEST(Lists, APartialSuccessHasTheWaitOfItsRule) {
  const std::string rules = R"([{"wait":{"at":"/w","unit":"s"},"rest":"accepted","lists":[
      {"each":"/again/*","by":{"index":""},"item":[{"verdict":"retry"}]}]}])";
  const Verdict verdict = JudgeBy(rules, Json(200, R"({"again":[1],"w":3})"));
  EXPECT_EQ(Short(verdict), "partial ARA");
  EXPECT_EQ(verdict.retry_after, milliseconds(3'000));
}

const std::string kByIndex = R"([{"status":200,"lists":[
  {"each":"/good/*","by":{"index":"/Id"},"item":[{"verdict":"accepted"}]},
  {"each":"/bad/*","by":{"index":"/Id"},"item":[{"verdict":"rejected","reason":"/m"}]}]}])";

TEST(ListByIndex, ElementsNameTheirItemFromZeroAsNumberOrText) {
  EXPECT_EQ(Short(JudgeBy(kByIndex, Json(200, R"({"good":[{"Id":"2"},{"Id":0}],"bad":[{"Id":"1","m":"x"}]})"))),
            "partial AXA");
  EXPECT_EQ(Short(JudgeBy(kByIndex, Json(200, R"({"good":[{"Id":"2"},{"Id":"0"},{"Id":"1"}]})"))), "delivered");
}

TEST(ListByIndex, AnItemThatIsNotNamedIsSentAgainAndReported) {
  EXPECT_EQ(Short(JudgeBy(kByIndex, Json(200, R"({"good":[{"Id":"2"},{"Id":"0"}],"bad":[]})"))), "partial ARA?");
  EXPECT_EQ(Short(JudgeBy(kByIndex, Json(200, R"({"good":[],"bad":[]})"))), "deviation") << "it says nothing at all";
}

TEST(ListByIndex, NamesThatDoNotFitAreNotBelieved) {
  for (const char* body :
       {R"({"good":[{"Id":"3"}]})", R"({"good":[{"Id":"-1"}]})", R"({"good":[{"Id":"x"}]})", R"({"good":[{}]})",
        R"({"good":[{"Id":0},{"Id":"0"}]})", R"({"good":[{"Id":0}],"bad":[{"Id":0}]})", R"({"good":[7]})",
        R"({"good":[{"Id":99999999999999999999}]})", R"({"good":[null]})", R"({"good":7})"}) {
    const Verdict verdict = JudgeBy(kByIndex, Json(200, body));
    EXPECT_EQ(Short(verdict), "deviation") << body;
    EXPECT_TRUE(verdict.records.empty()) << body;
  }
}

const std::string kByLine = R"([{"status":400,"rest":"accepted","lists":[
  {"each":"/data/*","by":{"line":"/n"},"item":[{"verdict":"rejected","reason":"/m"}]}]}])";

TEST(ListByLine, LinesCountFromOneAndTheRestIsAsTheRuleSays) {
  EXPECT_EQ(Short(JudgeBy(kByLine, Json(400, R"({"data":[{"n":1,"m":"x"},{"n":3}]})"))), "partial XAX");
  EXPECT_EQ(Short(JudgeBy(kByLine, Json(400, R"({"data":[]})"))), "delivered");
}

TEST(ListByLine, TheRestIsNeverAcceptedWhereSomethingDisagrees) {
  for (const char* body : {R"({"data":[{"n":0}]})", R"({"data":[{"n":4}]})", R"({"data":[{"m":"x"}]})",
                           R"({"data":null})", R"({"data":{}})", R"({})"}) {
    EXPECT_EQ(JudgeBy(kByLine, Json(400, body)).action, Action::kDeviation) << body;
  }
  EXPECT_EQ(JudgeBy(kByLine, Http(400, "Bad Request")).action, Action::kBisect) << "no such body: the table holds";
}

TEST(Lists, ACountThatDisagreesSettlesNothing) {
  const std::string rules = R"([{"status":207,"accepted_count":"/ok","rest":"accepted","lists":[
      {"each":"/err/*","by":{"id":"/id"},"item":[{"verdict":"rejected"}]}]}])";
  EXPECT_EQ(Short(JudgeBy(rules, Json(207, R"({"ok":2,"err":[{"id":"q.n.2"}]})"))), "partial AXA");
  EXPECT_EQ(Short(JudgeBy(rules, Json(207, R"({"ok":1,"err":[{"id":"q.n.2"}]})"))), "deviation");
  EXPECT_EQ(Short(JudgeBy(rules, Json(207, R"({"ok":3,"err":[{"id":"q.n.2"}]})"))), "deviation");
  EXPECT_EQ(Short(JudgeBy(rules, Json(207, R"({"ok":2,"err":[{"id":"other"}]})"))), "deviation");
}

TEST(Lists, PathsReachThroughElements) {
  const std::string rules = R"([{"lists":[{"each":"/a/*/b/*/c","by":"index","item":[
      {"when":{"/ok":true,"doc:/v":2},"verdict":"accepted"},{"verdict":"rejected","reason":"doc:/why"}]}]}])";
  const std::string body =
      R"({"v":2,"why":"all","a":[{"b":[{"c":{"ok":true}},{"c":{}}]},{},{"b":[{"c":{"ok":true}}]}]})";
  const Verdict verdict = JudgeBy(rules, Json(200, body));
  EXPECT_EQ(Short(verdict), "partial AXA");
  EXPECT_EQ(verdict.records[1].detail, "all");
}

// Judges a list by position of 5 items for 3 records that are 2, 1 and 2 items.
Verdict OfFive(const std::vector<std::string>& codes) {
  const std::vector<std::string> ids = test::Ids(3);
  const std::vector<std::uint32_t> items = {2, 1, 2};
  return Judge(Codes(codes), test::Rules(kByPosition), test::SentOf(ids, items), test::kWall);
}

TEST(Items, ARecordTakesTheWorstOfItsItemsRetryFirst) {
  EXPECT_EQ(Short(OfFive({"ok", "ok", "ok", "ok", "dup"})), "delivered");
  EXPECT_EQ(Short(OfFive({"ok", "bad", "ok", "bad", "busy"})), "partial XAR");
  EXPECT_EQ(OfFive({"ok", "bad", "ok", "ok", "ok"}).records.at(0).detail, "1 of its 2 items refused: words");
  EXPECT_EQ(Short(OfFive({"ok", "ok", "ok", "ok"})), "deviation");
  EXPECT_THAT(OfFive({"ok"}).reason, HasSubstr("5 items were sent"));
}

TEST(Items, AnIdNamesAllItemsOfItsRecord) {
  const std::vector<std::string> ids = test::Ids(3);
  const std::vector<std::uint32_t> items = {2, 1, 2};
  const contract::ResponseRules rules = test::Rules(R"([{"accepted_count":"/ok","rest":"accepted","lists":[
      {"each":"/err/*","by":{"id":""},"item":[{"verdict":"retry"}]}]}])");
  const auto judge = [&](const char* body) {
    return Short(Judge(Json(200, body), rules, test::SentOf(ids, items), test::kWall));
  };
  EXPECT_EQ(judge(R"({"ok":3,"err":["q.n.1"]})"), "partial RAA");
  EXPECT_EQ(judge(R"({"ok":4,"err":["q.n.1"]})"), "deviation");
}

TEST(FirstBad, SaysWhatIsBeforeAndBehindIt) {
  const std::string rules = R"([{"status":400,"when":{"/line":"*"},"reason":"/message",
      "first_bad":{"line":"/line","before":"accepted","after":"retry"}}])";
  const Verdict verdict = JudgeBy(rules, Json(400, R"({"line":2,"message":"bad field"})"));
  EXPECT_EQ(Short(verdict), "partial AXR");
  EXPECT_EQ(verdict.records[1].detail, "bad field");
  EXPECT_EQ(Short(JudgeBy(rules, Json(400, R"({"line":"1"})"))), "partial XRR");
  for (const char* body : {R"({"line":0})", R"({"line":4})", R"({"line":"x"})", R"({"line":-1})", R"({"line":1.5})"}) {
    EXPECT_EQ(JudgeBy(rules, Json(400, body)).action, Action::kDeviation) << body;
  }
  EXPECT_EQ(Short(JudgeBy(R"([{"first_bad":{"index":"header:X-Bad","before":"retry","after":"retry"}}])",
                          Http(400, "no JSON", {{"x-bad", "0"}}))),
            "partial XRR");
}

TEST(PartialUnknown, IsSearchedWhereTheRuleWantsIt) {
  const std::string rules = R"([{"status":400,"verdict":"partial_unknown","then":"bisect","reason":"text"}])";
  const Verdict verdict = JudgeBy(rules, Http(400, "out of order"));
  EXPECT_EQ(verdict.action, Action::kBisect);
  EXPECT_TRUE(verdict.maybe_stored);
  EXPECT_EQ(verdict.problem_detail, "out of order");
  EXPECT_FALSE(JudgeBy(rules, Http(400, "out of order"), 1).maybe_stored) << "one item is not taken in part";
}

TEST(PartialUnknown, IsTakenForAcceptedWithTheCountOfWhatIsLost) {
  const std::string rules =
      R"([{"status":200,"verdict":"partial_unknown","then":"accept","rejected_count":"/n","reason":"/m"}])";
  const Verdict verdict = JudgeBy(rules, Json(200, R"({"n":"2","m":"too old"})"));
  EXPECT_EQ(verdict.action, Action::kDelivered);
  EXPECT_EQ(verdict.refused_unnamed, 2U);
  EXPECT_THAT(verdict.reason, HasSubstr("too old"));
  EXPECT_EQ(JudgeBy(rules, Json(200, R"({"n":0})")).refused_unnamed, std::nullopt);
  EXPECT_EQ(JudgeBy(rules, Json(200, R"({"n":3})")).action, Action::kBisect) << "nothing was taken";
  for (const char* body : {R"({"n":4})", R"({"n":-1})", R"({"n":"some"})", R"({})", "", "<html>"}) {
    EXPECT_EQ(JudgeBy(rules, Json(200, body)).action, Action::kDeviation) << body;
  }
}

TEST(PartialUnknown, WithoutACountItIsNotSaidHowMany) {
  const std::string rules = R"([{"status":202,"verdict":"partial_unknown","then":"accept","reason":"/errors/0"}])";
  EXPECT_EQ(JudgeBy(rules, Json(202, R"({"errors":["x"]})")).refused_unnamed, 0U);
  EXPECT_EQ(JudgeBy(rules, Json(202, R"({"errors":["x"]})"), 1).action, Action::kBisect);
  EXPECT_EQ(JudgeBy(rules, Http(202, "<html>Sign in")).action, Action::kDeviation);
}

TEST(ManyDocuments, AreReadAsAListWhateverStandsBetween) {
  const std::string rules = R"([{"status":200,"as":"ndjson","lists":[{"each":"/*","by":"index","item":[
      {"when":{"/c":200},"verdict":"accepted"},{"verdict":"rejected","reason":"/m"}]}]}])";
  EXPECT_EQ(Short(JudgeBy(rules, Json(200, R"({"c":200}{"c":200}{"c":200})"))), "delivered");
  EXPECT_EQ(Short(JudgeBy(rules, Http(200, "{\"c\":200}\n{\"c\":400}\r\n\n {\"c\":200}\n",
                                      {{"content-type", "application/x-ndjson"}}))),
            "partial AXA");
  EXPECT_EQ(Short(JudgeBy(rules, Json(200, R"({"c":200}{"c":200}{"c":2)"))), "partial AAR?") << "cut";
  EXPECT_EQ(Short(JudgeBy(rules, Json(200, R"({"c":200}{"c":200})"))), "deviation") << "ends early, but whole";
  EXPECT_EQ(Short(JudgeBy(rules, Json(200, R"(}{"c":200})"))), "deviation");
  EXPECT_EQ(Short(JudgeBy(rules, Http(200))), "deviation");
}

TEST(ManyDocuments, TheRestOfACutReplyIsNotAccepted) {
  const std::string rules = R"([{"status":200,"as":"ndjson","rest":"accepted","lists":[
      {"each":"/*","by":{"index":"/i"},"item":[{"verdict":"rejected"}]}]}])";
  EXPECT_EQ(Short(JudgeBy(rules, Json(200, R"({"i":0})"))), "partial XAA");
  EXPECT_EQ(Short(JudgeBy(rules, Json(200, R"({"i":0}{"i)"))), "partial XRR?");
}

TEST(AcceptedBesideLists, ABatchWhoseListsNameAnybodyContradictsItself) {
  const std::string rules = R"([{"verdict":"accepted","lists":[
      {"each":"/bad/*","by":{"index":""},"item":[{"verdict":"rejected"}]}]}])";
  EXPECT_EQ(Short(JudgeBy(rules, Json(200, R"({"bad":[]})"))), "delivered");
  EXPECT_EQ(Short(JudgeBy(rules, Json(200, R"({"bad":[1]})"))), "deviation");
}

}  // namespace
}  // namespace packhorse::outcome
