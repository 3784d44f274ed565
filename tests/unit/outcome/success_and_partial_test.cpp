#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "reply_builder.h"

namespace packhorse::outcome {
namespace {

using test::Http;
using test::Json;
using test::Judged;
using testing::HasSubstr;

TEST(Success, AllAcceptedIsDelivered) {
  const Verdict verdict = Judged(Json(200, R"({"accepted":3})"));
  EXPECT_EQ(verdict.action, Action::kDelivered);
  EXPECT_EQ(verdict.reason, "HTTP 200 OK");
}

TEST(Success, UnknownMembersAndOtherWritingsOfTheSameAreTolerated) {
  for (const char* body :
       {R"({"accepted":3,"new_member":{"a":[1,2]}})", R"({"accepted":3.0})", " {\n\"accepted\" : 3 } ",
        R"({"accepted":3,"rejected":[],"retry":[]})", R"({"accepted":3,"rejected":null})", R"({"accepted":3e0})"}) {
    EXPECT_EQ(Judged(Json(200, body)).action, Action::kDelivered) << body;
  }
}

TEST(Success, ContentTypesOfJsonAreAccepted) {
  for (const char* type : {"application/json", "application/json; charset=utf-8", "Application/JSON",
                           "application/problem+json", "application/vnd.example.v1+json", "text/json"}) {
    EXPECT_EQ(Judged(Http(200, R"({"accepted":3})", {{"content-type", type}})).action, Action::kDelivered) << type;
  }
  EXPECT_EQ(Judged(Http(200, R"({"accepted":3})")).action, Action::kDelivered) << "none given";
}

struct Bad {
  std::string name;
  std::string body;
  std::string why;
  std::string type = "application/json";
};
class NoSuccessTest : public testing::TestWithParam<Bad> {};

TEST_P(NoSuccessTest, IsADeviationWithItsReason) {
  const Verdict verdict = Judged(Http(200, GetParam().body, {{"content-type", GetParam().type}}));
  EXPECT_EQ(verdict.action, Action::kDeviation);
  EXPECT_THAT(verdict.reason, testing::StartsWith("HTTP 200 OK, but not a success: "));
  EXPECT_THAT(verdict.reason, HasSubstr(GetParam().why));
}

const std::string kPage = "<!DOCTYPE html><html><head><title>Sign in\n  to Wi-Fi</title></head></html>";

INSTANTIATE_TEST_SUITE_P(
    Table, NoSuccessTest,
    testing::Values(Bad{"Empty", "", "the body is empty"},                                                           //
                    Bad{"FewerAccepted", R"({"accepted":2})", "accepted is 2, but 3 records were sent"},             //
                    Bad{"MoreAccepted", R"({"accepted":4})", "accepted is 4, but 3 records were sent"},              //
                    Bad{"NoneAccepted", R"({"accepted":0})", "accepted is 0"},                                       //
                    Bad{"NegativeCount", R"({"accepted":-3})", "no count"},                                          //
                    Bad{"FractionCount", R"({"accepted":3.5})", "no count"},                                         //
                    Bad{"HugeCount", R"({"accepted":1e300})", "no count"},                                           //
                    Bad{"CountBeyond64Bits", R"({"accepted":18446744073709551616})", "no count"},                    //
                    Bad{"CountAsText", R"({"accepted":"3"})", "no count"},                                           //
                    Bad{"CountNull", R"({"accepted":null})", "no count"},                                            //
                    Bad{"CountTrue", R"({"accepted":true})", "no count"},                                            //
                    Bad{"CountMissing", R"({"ok":true})", "no count"},                                               //
                    Bad{"AnArray", R"([3])", "no count"},                                                            //
                    Bad{"ANumber", "3", "no count"},                                                                 //
                    Bad{"CutShort", R"({"accepted":3)", "not JSON"},                                                 //
                    Bad{"TrailingText", R"({"accepted":3} x)", "not JSON"},                                          //
                    Bad{"InvalidUtf8", "{\"accepted\":3,\"x\":\"\xff\"}", "not JSON"},                               //
                    Bad{"NulBytes", std::string("{\"accepted\":3}\0\0", 16), "not JSON"},                            //
                    Bad{"NumberOutOfRange", R"({"accepted":3,"x":1e999})", "not JSON"},                              //
                    Bad{"Html", kPage, "the body is an HTML page: Sign in to Wi-Fi", "text/html; charset=utf-8"},    //
                    Bad{"HtmlThatCallsItselfJson", kPage, "an HTML page: Sign in to Wi-Fi"},                         //
                    Bad{"HtmlWithoutTitle", "<html><body>hi", "an HTML page", "text/plain"},                         //
                    Bad{"PlainText", R"({"accepted":3})", "the content type is text/plain", "text/plain"},           //
                    Bad{"Xml", "<accepted>3</accepted>", "the content type is application/xml", "application/xml"},  //
                    Bad{"AcceptedButAlsoRejected", R"({"accepted":3,"rejected":[{"record_id":"q.n.1"}]})",
                        "also refused"},                                                                             //
                    Bad{"AcceptedButAlsoToRetry", R"({"accepted":3,"retry":["q.n.1"]})", "also refused"},            //
                    Bad{"TooDeep", std::string(10'000, '[') + std::string(10'000, ']'), "deeper"},                   //
                    Bad{"TooDeepAndOpen", "{\"a\":" + std::string(500'000, '['), "deeper"},                          //
                    Bad{"TooManyValues", "{\"accepted\":3,\"x\":[0" + std::string(200'000, ',') + "0]}", "larger"},  //
                    Bad{"TooLong", "{\"accepted\":3,\"x\":\"" + std::string(5'000'000, 'x') + "\"}", "larger"}),
    [](const auto& test) { return test.param.name; });

TEST(Success, ATruncatedBodyIsADeviation) {
  Reply reply = Json(200, R"({"accepted":3})");
  reply.truncated = true;
  EXPECT_EQ(Judged(reply).action, Action::kDeviation);
  EXPECT_THAT(Judged(reply).reason, HasSubstr("cut after 14 bytes"));
}

TEST(Success, BracketsWithinStringsDoNotCountAsDepth) {
  EXPECT_EQ(Judged(Json(200, "{\"accepted\":3,\"x\":\"" + std::string(5'000, '[') + "\\\"[\"}")).action,
            Action::kDelivered);
}

TEST(Success, TheBoundOnValuesGrowsWithTheBatch) {
  std::string retry = "\"q.n.1\"";
  for (int i = 2; i <= 20'000; ++i) {
    retry += ",\"q.n." + std::to_string(i) + "\"";
  }
  const Verdict verdict = Judged(Json(207, "{\"accepted\":0,\"retry\":[" + retry + "]}"), 20'000);
  EXPECT_EQ(verdict.action, Action::kPartial);
  EXPECT_EQ(verdict.records.size(), 20'000U);
}

TEST(Success, WithoutABodyCheckTheDeclaredStatusIsEnoughUnlessItIsAPage) {
  const contract::FirstFormResponse rules{.success = {202, 204},
                                          .partial = {},
                                          .accepted_pointer = "",
                                          .rejected_pointer = "",
                                          .rejected_id_pointer = "",
                                          .rejected_error_pointer = "",
                                          .retry_pointer = ""};
  EXPECT_EQ(test::JudgeFirst(Http(204), rules, test::Ids(2), test::kWall).action, Action::kDelivered);
  EXPECT_EQ(test::JudgeFirst(Http(202, "queued"), rules, test::Ids(2), test::kWall).action, Action::kDelivered);
  EXPECT_EQ(test::JudgeFirst(Http(202, kPage), rules, test::Ids(2), test::kWall).action, Action::kDeviation);
  EXPECT_EQ(test::JudgeFirst(Http(200), rules, test::Ids(2), test::kWall).action, Action::kDeviation);
  EXPECT_EQ(test::JudgeFirst(Http(207), rules, test::Ids(2), test::kWall).action, Action::kDeviation);
}

TEST(Success, PointersReachIntoObjectsAndArraysAndAreUnescaped) {
  contract::FirstFormResponse rules = test::IngestRules();
  rules.accepted_pointer = "/a~1b/~0x/1";
  EXPECT_EQ(test::JudgeFirst(Json(200, R"({"a/b":{"~x":[0,3]}})"), rules, test::Ids(3), test::kWall).action,
            Action::kDelivered);
  for (const char* bad :
       {"accepted", "/a~1b/~0x/9", "/a~1b/~0x/01x", "/a~1b/~0x/-1", "/", "//", "/a~1b/~0x/1/2", "~"}) {
    rules.accepted_pointer = bad;
    EXPECT_EQ(test::JudgeFirst(Json(200, R"({"a/b":{"~x":[0,3]}})"), rules, test::Ids(3), test::kWall).action,
              Action::kDeviation)
        << bad;
  }
}

TEST(Partial, EachRecordGetsItsOwnVerdictInTheOrderSent) {
  const Verdict verdict = Judged(
      Json(207, R"({"accepted":1,"rejected":[{"record_id":"q.n.3","error":{"type":"urn:x:unit","title":"Bad unit",)"
                R"("detail":"temperature in K"}}],"retry":["q.n.1"]})"));
  EXPECT_EQ(verdict.action, Action::kPartial);
  ASSERT_EQ(verdict.records.size(), 3U);
  EXPECT_EQ(verdict.records[0].verdict, RecordVerdict::kRetry);
  EXPECT_EQ(verdict.records[1].verdict, RecordVerdict::kDelivered);
  EXPECT_EQ(verdict.records[2].verdict, RecordVerdict::kRejected);
  EXPECT_EQ(verdict.records[2].detail, "Bad unit: temperature in K (urn:x:unit)");
  EXPECT_EQ(verdict.records[0].detail, "");
  EXPECT_EQ(verdict.reason, "HTTP 207 Multi-Status: of 3 records 1 were rejected, 1 are to be sent again");
}

TEST(Partial, AllAcceptedIsDelivered) {
  EXPECT_EQ(Judged(Json(207, R"({"accepted":3,"rejected":[],"retry":[]})")).action, Action::kDelivered);
  EXPECT_EQ(Judged(Json(207, R"({"accepted":3})")).action, Action::kDelivered);
}

TEST(Partial, AllRejectedIsStillAnAnswerPerRecord) {
  const Verdict verdict =
      Judged(Json(207, R"({"accepted":0,"rejected":[{"record_id":"q.n.1"},{"record_id":"q.n.2","error":null},)"
                       R"({"record_id":"q.n.3","error":"bad"}]})"));
  EXPECT_EQ(verdict.action, Action::kPartial);
  ASSERT_EQ(verdict.records.size(), 3U);
  EXPECT_EQ(verdict.records[0].detail, "no reason given");
  EXPECT_EQ(verdict.records[1].detail, "no reason given");
  EXPECT_EQ(verdict.records[2].detail, "bad");
}

TEST(Partial, AnErrorOfAnotherShapeIsKeptAsItIs) {
  const Verdict verdict =
      Judged(Json(207, R"({"accepted":2,"rejected":[{"record_id":"q.n.1","error":{"code":17,"why":["a","b"]}}]})"));
  EXPECT_EQ(verdict.records.at(0).detail, R"({"code":17,"why":["a","b"]})");
}

TEST(Partial, DetailsAreBoundedAndPrintable) {
  const Verdict verdict = Judged(Json(207, R"({"accepted":2,"rejected":[{"record_id":"q.n.1","error":"a\u001b[2J\n)" +
                                               std::string(100'000, 'x') + "\"}]}"));
  EXPECT_LE(verdict.records.at(0).detail.size(), 2'048U);
  EXPECT_THAT(verdict.records.at(0).detail, testing::StartsWith("a\\x1b[2J\\nxxx"));
}

class BadPartialTest : public testing::TestWithParam<Bad> {};

TEST_P(BadPartialTest, IsADeviationAndSettlesNothing) {
  const Verdict verdict = Judged(Http(207, GetParam().body, {{"content-type", GetParam().type}}));
  EXPECT_EQ(verdict.action, Action::kDeviation);
  EXPECT_TRUE(verdict.records.empty());
  EXPECT_THAT(verdict.reason, HasSubstr(GetParam().why));
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadPartialTest,
    testing::Values(
        Bad{"Empty", "", "the body is empty"},                                                                        //
        Bad{"NotTheShape", R"({"ok":true})", "no count"},                                                             //
        Bad{"NoCount", R"({"rejected":[{"record_id":"q.n.1"}]})", "no count"},                                        //
        Bad{"SumTooSmall", R"({"accepted":1,"retry":["q.n.1"]})", "accepted 1 and named 1, but 3"},                   //
        Bad{"SumTooLarge", R"({"accepted":3,"retry":["q.n.1"]})", "accepted 3 and named 1, but 3"},                   //
        Bad{"NobodyKnowsWhich", R"({"accepted":2})", "accepted 2 and named 0, but 3"},                                //
        Bad{"UnknownRejected", R"({"accepted":2,"rejected":[{"record_id":"other"}]})", "not sent: other"},            //
        Bad{"UnknownRetry", R"({"accepted":2,"retry":["q.n.4"]})", "not sent: q.n.4"},                                //
        Bad{"RejectedTwice", R"({"accepted":1,"rejected":[{"record_id":"q.n.1"},{"record_id":"q.n.1"}]})", "twice"},  //
        Bad{"RejectedAndRetry", R"({"accepted":1,"rejected":[{"record_id":"q.n.1"}],"retry":["q.n.1"]})", "twice"},   //
        Bad{"RejectedIsNoList", R"({"accepted":3,"rejected":{"record_id":"q.n.1"}})", "a list of records is none"},   //
        Bad{"RetryIsNoList", R"({"accepted":3,"retry":1})", "a list of records is none"},                             //
        Bad{"ItemWithoutId", R"({"accepted":2,"rejected":[{"error":"x"}]})", "no record id"},                         //
        Bad{"ItemIsText", R"({"accepted":2,"rejected":["q.n.1"]})", "no record id"},                                  //
        Bad{"IdIsANumber", R"({"accepted":2,"rejected":[{"record_id":1}]})", "no record id"},                         //
        Bad{"RetryItemIsAnObject", R"({"accepted":2,"retry":[{"record_id":"q.n.1"}]})", "no record id"},              //
        Bad{"CutShort", R"({"accepted":2,"retry":["q.n.1")", "not JSON"},                                             //
        Bad{"Html", kPage, "an HTML page", "text/html"},                                                              //
        Bad{"OtherType", R"({"accepted":3})", "content type", "text/plain"}),
    [](const auto& test) { return test.param.name; });

TEST(Partial, AHostileIdInTheReasonIsPrintable) {
  const Verdict verdict =
      Judged(Json(207, R"({"accepted":2,"retry":["\u001b]0;x\u0007)" + std::string(9'000, 'y') + "\"]}"));
  EXPECT_THAT(verdict.reason, HasSubstr("\\x1b]0;x\\x07"));
  EXPECT_LE(verdict.reason.size(), 400U);
}

TEST(Partial, AStatusThatIsBothSuccessAndPartialIsReadAsWhatItsBodyIs) {
  contract::FirstFormResponse rules = test::IngestRules();
  rules.partial = {200, 207, 422};
  const auto judge = [&](const Reply& reply) {
    return test::JudgeFirst(reply, rules, test::Ids(3), test::kWall).action;
  };
  EXPECT_EQ(judge(Json(200, R"({"accepted":3})")), Action::kDelivered);
  EXPECT_EQ(judge(Json(200, R"({"accepted":2,"retry":["q.n.1"]})")), Action::kPartial);
  EXPECT_EQ(judge(Json(200, R"({"accepted":2})")), Action::kDeviation);
  EXPECT_EQ(judge(Json(200, R"({"ok":1})")), Action::kDeviation);
}

TEST(Partial, AnErrorStatusWithTheDeclaredShapeIsPartialElseTheTableHolds) {
  contract::FirstFormResponse rules = test::IngestRules();
  rules.partial = {422};
  const auto judge = [&](const Reply& reply) {
    return test::JudgeFirst(reply, rules, test::Ids(3), test::kWall).action;
  };
  EXPECT_EQ(judge(Json(422, R"({"accepted":2,"rejected":[{"record_id":"q.n.2","error":"x"}]})")), Action::kPartial);
  EXPECT_EQ(judge(Json(422, R"({"title":"Invalid"})")), Action::kBisect);
  EXPECT_EQ(judge(Http(422, "nonsense")), Action::kBisect);
  EXPECT_EQ(judge(Http(422)), Action::kBisect);
}

TEST(Partial, WithoutACountTheListsDecide) {
  contract::FirstFormResponse rules = test::IngestRules();
  rules.accepted_pointer = "";
  const auto judge = [&](const std::string& body) {
    return test::JudgeFirst(Json(207, body), rules, test::Ids(3), test::kWall);
  };
  EXPECT_EQ(judge(R"({"rejected":[],"retry":["q.n.2"]})").action, Action::kPartial);
  EXPECT_EQ(judge(R"({"rejected":[]})").action, Action::kDelivered);
  EXPECT_EQ(judge(R"({})").action, Action::kDeviation);
}

}  // namespace
}  // namespace packhorse::outcome
