// What `status`, `when`, `verdict`, `reason` and `wait` of a rule mean.
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

// Whether a condition (`"place": wanted`) fits a reply.
bool Fits(const std::string& condition, const Reply& reply) {
  const std::string rules = R"([{"when":{)" + condition + R"(},"verdict":"too_large"}])";
  return JudgeBy(rules, reply).action == Action::kTooLarge;
}
bool FitsBody(const std::string& condition, const std::string& body) { return Fits(condition, Json(400, body)); }

TEST(RuleStatus, NumbersClassesAndListsOfThemFit) {
  const std::string rules = R"([{"status":[404,"5xx"],"verdict":"too_large"}])";
  for (const int status : {404, 500, 599}) {
    EXPECT_EQ(JudgeBy(rules, Http(status)).action, Action::kTooLarge) << status;
  }
  EXPECT_EQ(JudgeBy(rules, Http(405)).action, Action::kHold);
  EXPECT_EQ(JudgeBy(R"([{"verdict":"throttled"}])", Http(418)).action, Action::kThrottled) << "any status";
}

TEST(RuleStatus, TheFirstRuleThatFitsHolds) {
  const std::string rules = R"([{"status":400,"when":{"/a":1},"verdict":"hold"},{"status":400,"verdict":"retry"}])";
  EXPECT_EQ(JudgeBy(rules, Json(400, R"({"a":1})")).action, Action::kHold);
  EXPECT_EQ(JudgeBy(rules, Json(400, R"({"a":2})")).action, Action::kRetry);
}

TEST(RuleWhen, ANumberEqualsItsTextInBothDirections) {
  EXPECT_TRUE(FitsBody(R"("/a":401)", R"({"a":401})"));
  EXPECT_TRUE(FitsBody(R"("/a":401)", R"({"a":"401"})"));
  EXPECT_TRUE(FitsBody(R"("/a":"401")", R"({"a":401})"));
  EXPECT_TRUE(FitsBody(R"("/a":0)", R"({"a":0.0})"));
  EXPECT_TRUE(FitsBody(R"("/a":3.0)", R"({"a":3})"));
  EXPECT_TRUE(FitsBody(R"("/a":1.5)", R"({"a":1.5})"));
  EXPECT_TRUE(FitsBody(R"("/a":9007199254740993)", R"({"a":9007199254740993})"));
  EXPECT_FALSE(FitsBody(R"("/a":9007199254740993)", R"({"a":9007199254740992})"));
  EXPECT_FALSE(FitsBody(R"("/a":401)", R"({"a":4010})"));
}

TEST(RuleWhen, LiteralsAndListsOfThem) {
  EXPECT_TRUE(FitsBody(R"("/a":false)", R"({"a":false})"));
  EXPECT_FALSE(FitsBody(R"("/a":false)", R"({"a":true})"));
  EXPECT_FALSE(FitsBody(R"("/a":false)", R"({})"));
  EXPECT_TRUE(FitsBody(R"("/a":["x","y"])", R"({"a":"y"})"));
  EXPECT_TRUE(FitsBody(R"("/a":[null,0])", R"({"a":0})"));
  EXPECT_TRUE(FitsBody(R"("/a":[null,0])", R"({})"));
  EXPECT_FALSE(FitsBody(R"("/a":"x")", R"({"a":["x"]})")) << "a list is no text";
}

TEST(RuleWhen, AStarAtEitherEnd) {
  EXPECT_TRUE(FitsBody(R"("/a":"quota*")", R"({"a":"quota exceeded"})"));
  EXPECT_FALSE(FitsBody(R"("/a":"quota*")", R"({"a":"no quota"})"));
  EXPECT_TRUE(FitsBody(R"("/a":"*Exception")", R"({"a":"com.x#LimitException"})"));
  EXPECT_TRUE(FitsBody(R"("/a":"*too old*")", R"({"a":"it is too old."})"));
  EXPECT_TRUE(FitsBody(R"("/a":"429*")", R"({"a":42901})"));
}

TEST(RuleWhen, AClassOfStatusesIsExactlyOneHundredNumbers) {
  EXPECT_TRUE(FitsBody(R"("/a":"5xx")", R"({"a":503})"));
  EXPECT_TRUE(FitsBody(R"("/a":"5xx")", R"({"a":"599"})"));
  EXPECT_FALSE(FitsBody(R"("/a":"5xx")", R"({"a":50003})"));
  EXPECT_FALSE(FitsBody(R"("/a":"5xx")", R"({"a":"5ab"})"));
}

TEST(RuleWhen, AbsentAndPresent) {
  EXPECT_TRUE(FitsBody(R"("/a/b":null)", R"({})")) << "the parent is missing";
  EXPECT_TRUE(FitsBody(R"("/a/b":null)", R"({"a":{"b":null}})"));
  EXPECT_FALSE(FitsBody(R"("/a/b":null)", R"({"a":{"b":0}})"));
  EXPECT_TRUE(FitsBody(R"("/a":"*")", R"({"a":{}})"));
  EXPECT_TRUE(FitsBody(R"("/a":"*")", R"({"a":""})"));
  EXPECT_FALSE(FitsBody(R"("/a":"*")", R"({"a":null})"));
  EXPECT_TRUE(FitsBody(R"("/0/a":"*")", R"([{"a":1}])"));
}

TEST(RuleWhen, NothingIsAbsentInABodyThatSaysNothing) {
  EXPECT_FALSE(Fits(R"("/a":null)", Http(400, "<html>Sign in</html>")));
  EXPECT_FALSE(Fits(R"("/a":null)", Http(400, "{}", {{"content-type", "text/plain"}})));
  EXPECT_FALSE(FitsBody(R"("/a":null)", R"({"a")"));
  EXPECT_FALSE(FitsBody(R"("/a":null)", R"("text")"));
  EXPECT_FALSE(FitsBody(R"("/a":null)", "7"));
  EXPECT_TRUE(Fits(R"("/a":null)", Http(400))) << "an empty body has no members";
}

TEST(RuleWhen, HeadersAndText) {
  EXPECT_TRUE(Fits(R"("header:X-Code":[26,27])", Http(500, "", {{"x-code", "27"}})));
  EXPECT_TRUE(Fits(R"("header:X-Code":null)", Http(500)));
  EXPECT_FALSE(Fits(R"("header:X-Code":null)", Http(500, "", {{"x-code", "27"}})));
  EXPECT_TRUE(Fits(R"("text":"")", Http(400)));
  EXPECT_TRUE(Fits(R"("text":"")", Http(400, " \n")));
  EXPECT_FALSE(Fits(R"("text":"")", Http(400, "x")));
  EXPECT_TRUE(Fits(R"("text":"*out of order*")", Http(400, "entry out of order\n", {{"content-type", "text/plain"}})));
  EXPECT_TRUE(Fits(R"("doc:/a":1,"text":"*")", Json(400, R"({"a":1})"))) << "all conditions hold";
  EXPECT_FALSE(Fits(R"("doc:/a":2,"text":"*")", Json(400, R"({"a":1})")));
}

TEST(RuleWhen, RateHeadersAreSeenAsTheyAreUnderstood) {
  const std::string none_left = R"("header:RateLimit-Remaining":0)";
  EXPECT_TRUE(Fits(none_left, Http(403, "", {{"x-ratelimit-remaining", "0"}})));
  EXPECT_TRUE(Fits(none_left, Http(403, "", {{"ratelimit", "\"a\";r=0;t=30"}})));
  EXPECT_FALSE(Fits(none_left, Http(403, "", {{"x-ratelimit-remaining", "5"}})));
  EXPECT_FALSE(Fits(R"("header:Retry-After":"*")", Http(503, "", {{"retry-after", "soon"}})));
  EXPECT_TRUE(Fits(R"("header:Retry-After":"*")", Http(503, "", {{"retry-after", "5"}})));
}

TEST(RuleVerdicts, OfABatchBecomeActions) {
  const auto action = [](const std::string& verdict, const Reply& reply) {
    return Short(JudgeBy(R"([{"verdict":)" + verdict + "}]", reply));
  };
  EXPECT_EQ(action(R"("accepted")", Http(202)), "delivered");
  EXPECT_EQ(action(R"("duplicate")", Http(409)), "delivered");
  EXPECT_EQ(action(R"("retry")", Http(200)), "retry");
  EXPECT_EQ(action(R"("throttled")", Http(400)), "throttled");
  EXPECT_EQ(action(R"("rejected")", Http(500)), "bisect");
  EXPECT_EQ(action(R"("too_large")", Http(400)), "too_large");
  EXPECT_EQ(action(R"("auth")", Http(400)), "auth");
  EXPECT_EQ(action(R"("hold")", Http(429)), "hold");
  EXPECT_EQ(action(R"("partial_unknown","then":"bisect")", Http(400)), "bisect");
}

TEST(RuleVerdicts, AnAcceptedBatchIsNoPageOfSomebodyElse) {
  const std::string page = "<!DOCTYPE html><title>Sign in</title>";
  EXPECT_EQ(Short(JudgeBy(R"([{"status":"2xx","verdict":"accepted"}])", Http(200, page))), "deviation");
  EXPECT_EQ(Short(JudgeBy(R"([{"status":200,"when":{"/err":null},"verdict":"accepted"}])", Http(200, page))),
            "deviation?");
  EXPECT_EQ(Short(JudgeBy(R"([{"when":{"/err":"*"},"verdict":"hold"},{"verdict":"accepted"}])", Json(200, "{\"er"))),
            "deviation")
      << "the body could not be read, and it might have said something else";
  EXPECT_EQ(Short(JudgeBy(R"([{"when":{"text":"*<title>Sign in*"},"verdict":"accepted"}])", Http(200, page))),
            "delivered")
      << "the rule knows the page";
}

TEST(RuleVerdicts, ACountThatDisagreesIsNoSuccess) {
  const std::string rules = R"([{"status":200,"verdict":"accepted","accepted_count":"/n"}])";
  EXPECT_EQ(Short(JudgeBy(rules, Json(200, R"({"n":3})"))), "delivered");
  EXPECT_EQ(Short(JudgeBy(rules, Json(200, R"({"n":2})"))), "deviation");
  EXPECT_EQ(Short(JudgeBy(rules, Json(200, R"({})"))), "deviation");
  EXPECT_EQ(Short(JudgeBy(rules, Http(200))), "deviation");
}

TEST(RuleReason, APlaceReplacesTheWordsThatAreReadOtherwise) {
  const Reply reply = Json(400, R"({"message":"usual","why":{"title":"Bad","detail":"unit"},"n":7})");
  EXPECT_EQ(JudgeBy(R"([{"verdict":"hold","reason":"/why"}])", reply).reason, "HTTP 400 Bad Request: Bad: unit");
  EXPECT_EQ(JudgeBy(R"([{"verdict":"hold","reason":"/n"}])", reply).problem_detail, "7");
  EXPECT_EQ(JudgeBy(R"([{"verdict":"hold","reason":"/missing"}])", reply).problem_detail, "usual");
  EXPECT_EQ(
      JudgeBy(R"([{"verdict":"hold","reason":"header:X-Why"}])", Http(400, "", {{"x-why", "no\x1b"}})).problem_detail,
      "no\\x1b");
  EXPECT_EQ(JudgeBy(R"([{"verdict":"hold","reason":"text"}])", Http(400, "plain words")).problem_detail, "plain words");
}

TEST(RuleWait, IsReadFromItsPlaceInItsUnit) {
  const auto wait = [](const std::string& unit, const std::string& body) {
    return JudgeBy(R"([{"verdict":"throttled","wait":{"at":"/w","unit":")" + unit + "\"}}]",
                   Json(429, body, {{"retry-after", "9"}}))
        .retry_after;
  };
  EXPECT_EQ(wait("s", R"({"w":5})"), milliseconds(5'000));
  EXPECT_EQ(wait("ms", R"({"w":"250"})"), milliseconds(250));
  EXPECT_EQ(wait("m", R"({"w":1.5})"), milliseconds(90'000));
  EXPECT_EQ(wait("h", R"({"w":1})"), milliseconds(3'600'000));
  for (const char* body : {R"({})", R"({"w":-1})", R"({"w":"soon"})", R"({"w":1e300})", R"({"w":1795162531})"}) {
    EXPECT_EQ(wait("s", body), milliseconds(9'000)) << body << ": Retry-After holds";
  }
  EXPECT_EQ(JudgeBy(R"([{"verdict":"throttled","wait":{"at":"header:X-Reset","unit":"s"}}])",
                    Http(429, "", {{"x-reset", "4"}}))
                .retry_after,
            milliseconds(4'000));
}

TEST(CommonTable, RulesOfAContractAndThenOfADestinationComeBeforeIt) {
  const contract::ResponseRules rules = test::Rules(R"([{"status":404,"verdict":"retry"}])");
  const contract::ResponseRules overrides =
      test::Rules(R"([{"status":[404,410],"verdict":"throttled"},{"status":202,"verdict":"accepted"}])");
  const std::vector<std::string> ids = test::Ids(2);
  const auto judge = [&](int status) {
    return Short(Judge(Http(status), rules, test::SentOf(ids), test::kWall, &overrides));
  };
  EXPECT_EQ(judge(404), "retry");
  EXPECT_EQ(judge(410), "throttled");
  EXPECT_EQ(judge(202), "delivered");
  EXPECT_EQ(judge(200), "deviation?");
  EXPECT_EQ(judge(413), "too_large");
}

TEST(CommonTable, WhatNobodyExpectsIsMarked) {
  const std::string rules = R"([{"status":204,"verdict":"accepted"},{"status":200,"when":{"/a":1},"verdict":"hold"}])";
  for (const int status : {400, 401, 403, 404, 408, 409, 413, 422, 425, 429, 500, 501, 502, 503, 504, 520}) {
    EXPECT_FALSE(JudgeBy(rules, Http(status)).unexpected) << status;
  }
  for (const int status : {101, 200, 202, 299, 302, 418, 423, 451, 499, 510, 530, 599, 600, 999}) {
    EXPECT_TRUE(JudgeBy(rules, Http(status)).unexpected) << status;
  }
  EXPECT_THAT(JudgeBy(rules, Json(200, R"({"a":2})")).reason, testing::HasSubstr("no rule of the contract fits it"));
  EXPECT_THAT(JudgeBy(rules, Http(299)).reason, testing::HasSubstr("does not declare this status"));
}

}  // namespace
}  // namespace packhorse::outcome
