#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "reply_builder.h"

namespace packhorse::outcome {
namespace {

using std::chrono::seconds;
using test::Http;
using test::Judged;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// The promise, written a second time and for every status there can be.
Action Expected(int status) {
  static const std::map<int, Action> kNamed = {
      {400, Action::kBisect},    {401, Action::kAuth},     {403, Action::kAuth},   {408, Action::kRetry},
      {409, Action::kRetry},     {413, Action::kTooLarge}, {422, Action::kBisect}, {425, Action::kRetry},
      {429, Action::kThrottled}, {501, Action::kHold},     {505, Action::kHold},
  };
  if (const auto named = kNamed.find(status); named != kNamed.end()) {
    return named->second;
  }
  if (status >= 200 && status < 300) {
    return Action::kDeviation;  // an empty body is no success of packhorse-ingest@1
  }
  return status >= 500 && status < 600 ? Action::kRetry : Action::kHold;
}

TEST(StatusTable, EveryStatusWithAnEmptyBodyHasItsAction) {
  for (int status = -1; status <= 1'000; ++status) {
    const Verdict verdict = Judged(Http(status));
    EXPECT_EQ(Name(verdict.action), Name(Expected(status))) << status;
    EXPECT_THAT(verdict.reason, StartsWith("HTTP " + std::to_string(status)));
    EXPECT_FALSE(verdict.retry_after) << status;
    EXPECT_TRUE(verdict.records.empty()) << status;
  }
}

TEST(StatusTable, MistakesOfOursNeverLoseDataTheyHold) {
  for (const int status : {301, 302, 303, 304, 307, 308, 404, 405, 406, 410, 411, 415, 421, 426, 451}) {
    EXPECT_EQ(Judged(Http(status)).action, Action::kHold) << status;
  }
}

TEST(StatusTable, AnErrorStatusWithABodyThatLooksLikeSuccessIsStillAnError) {
  EXPECT_EQ(Judged(test::Json(500, R"({"accepted":3})")).action, Action::kRetry);
  EXPECT_EQ(Judged(test::Json(404, R"({"accepted":3})")).action, Action::kHold);
}

TEST(StatusTable, OtherSuccessStatusesThanTheDeclaredAreDeviations) {
  for (const int status : {201, 202, 204, 206, 208, 226, 260, 299}) {
    const Verdict verdict = Judged(test::Json(status, R"({"accepted":3})"));
    EXPECT_EQ(verdict.action, Action::kDeviation) << status;
    EXPECT_THAT(verdict.reason, HasSubstr("does not declare"));
  }
}

TEST(Names, AreThoseOfTheTable) {
  EXPECT_EQ(Name(Action::kDelivered), "delivered");
  EXPECT_EQ(Name(Action::kPartial), "partial");
  EXPECT_EQ(Name(Action::kThrottled), "throttled");
  EXPECT_EQ(Name(Action::kRetry), "retry");
  EXPECT_EQ(Name(Action::kUnknown), "unknown");
  EXPECT_EQ(Name(Action::kTooLarge), "too_large");
  EXPECT_EQ(Name(Action::kBisect), "bisect");
  EXPECT_EQ(Name(Action::kAuth), "auth");
  EXPECT_EQ(Name(Action::kHold), "hold");
  EXPECT_EQ(Name(Action::kDeviation), "deviation");
  EXPECT_EQ(Name(static_cast<Action>(77)), "invalid");
}

TEST(NoReply, UnreachableIsRetried) {
  Reply reply;
  reply.unreachable = true;
  reply.error = "connection refused";
  const Verdict verdict = Judged(reply);
  EXPECT_EQ(verdict.action, Action::kRetry);
  EXPECT_EQ(verdict.reason, "connection refused");
}

TEST(NoReply, AfterSendingTheOutcomeIsUnknown) {
  Reply reply;
  reply.outcome_unknown = true;
  reply.error = "no answer within 30 s";
  EXPECT_EQ(Judged(reply).action, Action::kUnknown);
  EXPECT_EQ(Judged(reply).reason, "no answer within 30 s");
}

TEST(NoReply, WhatWasNeverSentIsNotUnknown) {
  Reply reply;
  reply.outcome_unknown = true;
  reply.unreachable = true;
  EXPECT_EQ(Judged(reply).action, Action::kRetry);
}

TEST(NoReply, BrokenOffWhileSendingIsRetried) {
  EXPECT_EQ(Judged(Reply{}).action, Action::kRetry);
  EXPECT_EQ(Judged(Reply{}).reason, "no complete reply");
}

TEST(NoReply, AStatusOfAnIncompleteReplyCountsForNothing) {
  Reply reply = test::Json(200, R"({"accepted":3})");
  reply.complete = false;
  reply.outcome_unknown = true;
  EXPECT_EQ(Judged(reply).action, Action::kUnknown);
}

TEST(NoReply, ErrorsAreOnePrintableBoundedLine) {
  Reply reply;
  reply.error = "line one\nline two \x1b[31m" + std::string(10'000, 'x');
  const std::string reason = Judged(reply).reason;
  EXPECT_THAT(reason, StartsWith("line one\\nline two \\x1b[31mxxx"));
  EXPECT_LE(reason.size(), 400U);
}

TEST(Throttling, TooManyRequestsWaitsAsTold) {
  const Verdict verdict = Judged(Http(429, "", {{"retry-after", "17"}}));
  EXPECT_EQ(verdict.action, Action::kThrottled);
  EXPECT_EQ(verdict.retry_after, seconds(17));
}

TEST(Throttling, UnavailableWithATimeIsThrottlingWithoutOneIsAFailure) {
  EXPECT_EQ(Judged(Http(503, "", {{"retry-after", "5"}})).action, Action::kThrottled);
  EXPECT_EQ(Judged(Http(503)).action, Action::kRetry);
  EXPECT_EQ(Judged(Http(503, "", {{"retry-after", "soon"}})).action, Action::kRetry);
}

TEST(Throttling, ForbiddenWithAnExhaustedRateLimitIsThrottlingNotAuthentication) {
  const Verdict verdict = Judged(Http(403, "", {{"x-ratelimit-remaining", "0"}, {"x-ratelimit-reset", "30"}}));
  EXPECT_EQ(verdict.action, Action::kThrottled);
  EXPECT_EQ(verdict.retry_after, seconds(30));
  EXPECT_EQ(Judged(Http(403, "", {{"x-ratelimit-remaining", "9"}, {"x-ratelimit-reset", "30"}})).action, Action::kAuth);
  EXPECT_EQ(Judged(Http(401, "", {{"x-ratelimit-remaining", "0"}})).action, Action::kAuth);
}

TEST(Throttling, RetryAfterGoesBeforeRateHeaders) {
  const Verdict verdict = Judged(Http(429, "", {{"retry-after", "7"}, {"ratelimit", "\"a\";r=0;t=60"}}));
  EXPECT_EQ(verdict.retry_after, seconds(7));
}

TEST(Throttling, RateHeadersFillInForAMissingRetryAfter) {
  EXPECT_EQ(Judged(Http(429, "", {{"ratelimit", "\"a\";r=0;t=60"}})).retry_after, seconds(60));
  EXPECT_EQ(Judged(Http(503, "", {{"ratelimit", "\"a\";r=0;t=60"}})).action, Action::kThrottled);
}

TEST(Throttling, OtherErrorsMayNameATimeToo) {
  EXPECT_EQ(Judged(Http(500, "", {{"retry-after", "90"}})).retry_after, seconds(90));
  EXPECT_EQ(Judged(Http(500, "", {{"retry-after", "90"}})).action, Action::kRetry);
  EXPECT_FALSE(Judged(Http(500, "", {{"ratelimit", "\"a\";r=0;t=60"}})).retry_after);
}

TEST(Throttling, WhatIsAnnouncedOfLimitsIsReadWhateverTheStatus) {
  for (const int status : {200, 422, 429, 503}) {
    const Verdict verdict = Judged(test::Json(status, R"({"accepted":3})", {{"ratelimit", "\"a\";r=0;t=9"}}));
    ASSERT_EQ(verdict.announced.size(), 1U) << status;
    EXPECT_EQ(verdict.announced.front().left, 0U);
    EXPECT_EQ(verdict.announced.front().resets, seconds(9));
  }
}

TEST(Throttling, ASuccessAsksForNoWait) {
  EXPECT_FALSE(Judged(test::Json(200, R"({"accepted":3})", {{"ratelimit", "\"a\";r=0;t=9"}})).retry_after);
  EXPECT_FALSE(Judged(test::Json(200, R"({"accepted":3})", {{"retry-after", "9"}})).retry_after);
}

TEST(Headers, TheProvidersRequestIdIsKept) {
  const char* const kNames[] = {"x-request-id",    "request-id",      "x-amzn-requestid", "x-amz-request-id",
                                "x-ms-request-id", "apim-request-id", "x-correlation-id", "cf-ray"};
  for (const char* name : kNames) {
    EXPECT_EQ(Judged(Http(500, "", {{name, "abc-1"}})).provider_request_id, "abc-1") << name;
    EXPECT_EQ(Judged(test::Json(200, R"({"accepted":3})", {{name, "abc-1"}})).provider_request_id, "abc-1") << name;
  }
  EXPECT_EQ(Judged(Http(500)).provider_request_id, "");
}

TEST(Headers, ARequestIdIsBoundedAndPrintable) {
  const std::string id =
      Judged(Http(500, "", {{"x-request-id", "a\x01" + std::string(5'000, 'b')}})).provider_request_id;
  EXPECT_LE(id.size(), 128U);
  EXPECT_THAT(id, StartsWith("a\\x01b"));
}

TEST(Headers, SunsetAndDeprecationAreReported) {
  const Verdict verdict = Judged(test::Json(
      200, R"({"accepted":3})", {{"sunset", "Sat, 31 Dec 2027 23:59:59 GMT"}, {"deprecation", "@1798761599"}}));
  EXPECT_EQ(verdict.action, Action::kDelivered);
  EXPECT_THAT(verdict.deprecations, testing::ElementsAre(testing::Pair("sunset", "Sat, 31 Dec 2027 23:59:59 GMT"),
                                                         testing::Pair("deprecation", "@1798761599")));
  EXPECT_TRUE(Judged(Http(200)).deprecations.empty());
}

TEST(Redirects, AreNotFollowedAndShowTheirTargetWithoutSecrets) {
  const Verdict verdict =
      Judged(Http(307, "", {{"location", "https://user:pass@new.example.com/v2/telemetry?token=secret#part"}}));
  EXPECT_EQ(verdict.action, Action::kHold);
  EXPECT_EQ(verdict.reason,
            "HTTP 307 Temporary Redirect: redirects are not followed, location https://new.example.com/v2/telemetry");
  EXPECT_THAT(Judged(Http(301, "", {{"location", "/v2/telemetry?x=1"}})).reason, Not(HasSubstr("x=1")));
  EXPECT_THAT(Judged(Http(301, "", {{"location", "//user:pass@new.example.com/v2"}})).reason,
              testing::EndsWith("location //new.example.com/v2"));
  EXPECT_EQ(Judged(Http(302)).action, Action::kHold);
}

}  // namespace
}  // namespace packhorse::outcome
