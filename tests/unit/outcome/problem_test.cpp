#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/random.h"
#include "base/text.h"
#include "outcome/reply_text.h"
#include "reply_builder.h"

namespace packhorse::outcome {
namespace {

using test::Http;
using test::Json;
using test::Judged;
using testing::HasSubstr;
using testing::Not;

struct ReasonCase {
  std::string name;
  Reply reply;
  std::string reason;
  std::string type;
};

TEST(Reason, TableOfErrorReplies) {
  const ReasonCase kCases[] = {
      {"nothing", Http(404), "HTTP 404 Not Found", ""},
      {"blank", Http(404, " \r\n "), "HTTP 404 Not Found", ""},
      {"problem",
       Http(404, R"({"type":"urn:p:none","title":"No such tenant","detail":"tenant a","status":404})",
            {{"content-type", "application/problem+json"}}),
       "HTTP 404 Not Found: No such tenant: tenant a", "urn:p:none"},
      {"title that repeats the status", Json(404, R"({"type":"about:blank","title":"Not found","detail":"no route"})"),
       "HTTP 404 Not Found: no route", "about:blank"},
      {"title alone", Json(400, R"({"title":"Nope"})"), "HTTP 400 Bad Request: Nope", ""},
      {"type alone", Json(400, R"({"type":"urn:p:x"})"), "HTTP 400 Bad Request: urn:p:x", "urn:p:x"},
      {"problem of wrong types", Json(400, R"({"type":5,"title":["x"],"detail":{"a":1}})"),
       "HTTP 400 Bad Request: {\"type\":5,\"title\":[\"x\"],\"detail\":{\"a\":1}}", ""},
      {"message", Json(500, R"({"message":"boom","code":3})"), "HTTP 500 Internal Server Error: boom", ""},
      {"aws", Json(400, R"({"__type":"X","Message":"bad"})"), "HTTP 400 Bad Request: bad", ""},
      {"oauth", Json(401, R"({"error":"invalid_token","error_description":"expired"})"),
       "HTTP 401 Unauthorized: expired", ""},
      {"error text", Json(401, R"({"error":"invalid_token"})"), "HTTP 401 Unauthorized: invalid_token", ""},
      {"google", Json(403, R"({"error":{"code":403,"message":"denied"}})"), "HTTP 403 Forbidden: denied", ""},
      {"splunk", Json(400, R"({"text":"No data","code":5})"), "HTTP 400 Bad Request: No data", ""},
      {"list", Json(400, R"({"errors":["a","b"]})"), "HTTP 400 Bad Request: [\"a\",\"b\"]", ""},
      {"other JSON", Json(400, R"({"a":1})"), "HTTP 400 Bad Request: {\"a\":1}", ""},
      {"no object", Json(400, "[1,2]"), "HTTP 400 Bad Request: [1,2]", ""},
      {"broken JSON", Json(400, "{\"title\":"), "HTTP 400 Bad Request: {\"title\":", ""},
      {"JSON of another type is text", Http(400, R"({"title":"x"})", {{"content-type", "text/plain"}}),
       "HTTP 400 Bad Request: {\"title\":\"x\"}", ""},
      {"text", Http(500, "upstream failed\n"), "HTTP 500 Internal Server Error: upstream failed", ""},
      {"lines", Http(500, "a\r\nb\tc"), "HTTP 500 Internal Server Error: a\\r\\nb\\tc", ""},
      {"page", Http(502, "<html><head><TITLE>502 Bad Gateway</TITLE></head>", {{"content-type", "text/html"}}),
       "HTTP 502 Bad Gateway: an HTML page: 502 Bad Gateway", ""},
      {"page with a byte order mark", Http(413, "\xEF\xBB\xBF  <!doctype HTML><h1 class=x>Too\n\n big</h1>"),
       "HTTP 413 Content Too Large: an HTML page: Too big", ""},
      {"page without title", Http(404, "<html></html>"), "HTTP 404 Not Found: an HTML page", ""},
      {"page with an open title", Http(404, "<html><title>abc"), "HTTP 404 Not Found: an HTML page: abc", ""},
      {"page with an open tag", Http(404, "<html><title"), "HTTP 404 Not Found: an HTML page", ""},
      {"page with an empty title", Http(404, "<html><title> </title>"), "HTTP 404 Not Found: an HTML page", ""},
      {"challenge", Http(401, "", {{"www-authenticate", "Bearer error=\"invalid_token\""}}),
       "HTTP 401 Unauthorized: Bearer error=\"invalid_token\"", ""},
      {"unknown status", Http(599, "x"), "HTTP 599: x", ""},
  };
  for (const ReasonCase& test : kCases) {
    const Verdict verdict = Judged(test.reply);
    EXPECT_EQ(verdict.reason, test.reason) << test.name;
    EXPECT_EQ(verdict.problem_type, test.type) << test.name;
  }
}

TEST(Problem, WordsAreSaidOnceHoweverLongTheyAre) {
  EXPECT_EQ(WordsOf(Judged(Json(500, R"({"e": "boom"})"))), R"(HTTP 500 Internal Server Error: {"e": "boom"})");
  EXPECT_EQ(WordsOf(Judged(Http(500, ""))), "HTTP 500 Internal Server Error");
  const std::string words = "start " + std::string(700, 'x') + " end";
  EXPECT_EQ(WordsOf(Judged(Json(500, R"({"message":")" + words + "\"}"))), "HTTP 500 Internal Server Error: " + words);
  Verdict verdict;
  verdict.reason = "HTTP 200 OK, but not a success: no count";
  verdict.problem_detail = "fine";
  EXPECT_EQ(WordsOf(verdict), "HTTP 200 OK, but not a success: no count: fine");
}

TEST(Problem, PartsAreBounded) {
  const Verdict verdict =
      Judged(Json(400, R"({"type":")" + std::string(9'000, 't') + R"(","title":")" + std::string(9'000, 'x') +
                           R"(","detail":")" + std::string(9'000, 'y') + "\"}"));
  EXPECT_EQ(verdict.problem_type.size(), 2'048U);
  EXPECT_EQ(verdict.problem_detail.size(), 2'048U);
  EXPECT_LE(verdict.reason.size(), 400U);
}

TEST(Problem, AHugeOrDeepErrorBodyIsOnlyQuoted) {
  const Verdict deep = Judged(Json(400, "{\"title\":" + std::string(100'000, '[')));
  EXPECT_EQ(deep.action, Action::kBisect);
  EXPECT_LE(deep.problem_detail.size(), 512U);
  const Verdict huge = Judged(Json(500, "{\"title\":\"" + std::string(6'000'000, 'a') + "\"}"));
  EXPECT_EQ(huge.action, Action::kRetry);
  EXPECT_LE(huge.problem_detail.size(), 512U);
}

TEST(Problem, ATruncatedProblemIsOnlyQuoted) {
  Reply reply = Json(400, R"({"title":"whole"})");
  reply.truncated = true;
  EXPECT_EQ(Judged(reply).reason, "HTTP 400 Bad Request: {\"title\":\"whole\"}");
}

TEST(Problem, ControlCharactersAreEscapedAndInvalidUtf8Replaced) {
  EXPECT_EQ(Judged(Json(400, R"({"title":"a\u0000b\u001b[31m\u009bc\u202ed"})")).problem_detail,
            "a\\x00b\\x1b[31m\\x9bc\\u202ed");
  EXPECT_EQ(Judged(Http(500, "a\xff\xc3z")).problem_detail, "a\xEF\xBF\xBD\xEF\xBF\xBDz");
}

TEST(Problem, AnEchoedCredentialIsMasked) {
  const Verdict verdict = Judged(Json(401, R"({"detail":"invalid: Bearer abc.DEF-123_secret456= given"})"));
  EXPECT_EQ(verdict.reason, "HTTP 401 Unauthorized: invalid: Bearer *** given");
  EXPECT_THAT(verdict.problem_detail, Not(HasSubstr("secret456")));
}

TEST(OneLine, MasksCredentialsButNotWords) {
  EXPECT_EQ(OneLine("Authorization: bearer sk-0123456789", 100), "Authorization: bearer ***");
  EXPECT_EQ(OneLine("basic dXNlcjpwYXNzd29yZA==, again BASIC dXNlcjpwYXNzd29yZA==", 100), "basic ***, again BASIC ***");
  EXPECT_EQ(OneLine("Bearer token expired", 100), "Bearer token expired");
  EXPECT_EQ(OneLine("Basic authentication required", 100), "Basic authentication required");
  EXPECT_EQ(OneLine("forbearer abcdef0123456789", 100), "forbearer abcdef0123456789");
  EXPECT_EQ(OneLine("Bearer ", 100), "Bearer");
  EXPECT_EQ(OneLine("bearer bearer abcdef0123456789", 100), "bearer bearer ***");
}

TEST(OneLine, CutsAtACharacterWithinTheBound) {
  EXPECT_EQ(OneLine("0123456789", 10), "0123456789");
  EXPECT_EQ(OneLine("0123456789x", 10), "0123456...");
  for (std::size_t most = 3; most < 30; ++most) {
    const std::string cut = OneLine("\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac", most);
    EXPECT_LE(cut.size(), most);
    EXPECT_TRUE(IsValidUtf8(cut)) << most;
  }
}

// Whatever a reply contains, judging it neither crashes nor gives unprintable or unbounded text.
TEST(JudgeProperty, AnyBytesGiveABoundedPrintableVerdict) {
  const std::uint64_t seed = RandomSeed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  const std::string kSeeds[] = {R"({"accepted":3,"rejected":[{"record_id":"q.n.1","error":{"title":"x"}}],"retry":[]})",
                                "<html><title>x</title></html>",
                                R"({"type":"a","title":"b","detail":"Bearer 12345678"})"};
  const int kStatuses[] = {200, 207, 400, 404, 429, 500};
  for (int round = 0; round < 20'000; ++round) {
    std::string body = kSeeds[random.UpTo(2)];
    for (std::uint64_t i = 0; i < random.UpTo(6); ++i) {
      const std::size_t at = static_cast<std::size_t>(random.UpTo(body.size() - 1));
      body[at] = static_cast<char>(random.UpTo(255));
      if (random.UpTo(5) == 0 && at > 0) {
        body.resize(at);
      }
    }
    const std::string value = body.substr(0, static_cast<std::size_t>(random.UpTo(40)));
    const Verdict verdict = Judged(
        Json(kStatuses[random.UpTo(5)], body, {{"retry-after", value}, {"ratelimit", value}, {"x-request-id", value}}));
    for (const std::string& text : {verdict.reason, verdict.problem_detail, verdict.provider_request_id}) {
      ASSERT_LE(text.size(), 2'048U);
      ASSERT_TRUE(IsValidUtf8(text));
      for (const char c : text) {
        ASSERT_GE(static_cast<unsigned char>(c), 0x20U);
      }
    }
    ASSERT_TRUE(verdict.records.empty() || verdict.records.size() == 3U);
  }
}

}  // namespace
}  // namespace packhorse::outcome
