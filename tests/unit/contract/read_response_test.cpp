#include "contract/cloud/read_response.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "document/check.h"

namespace packhorse::contract {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

// What is said of a response, one line for each mistake.
std::vector<std::string> Mistakes(const std::string& response, ResponseRules* rules = nullptr) {
  static const document::Document kSchema =
      document::ParseDocument(R"({"type":"object","properties":{"response":{}}})");
  const document::Document parsed = document::ParseDocument(R"({"response":)" + response + "}");
  EXPECT_FALSE(parsed.problem.has_value()) << response;
  document::Problems problems("a.json");
  const document::Node checked =
      document::CheckAgainstSchema(parsed.root, document::Schema(kSchema.root, kSchema.root), problems);
  const ResponseRules read = ReadResponseRules(checked["response"], problems);
  if (rules != nullptr) {
    *rules = read;
  }
  std::vector<std::string> lines;
  for (const document::Problem& problem : problems.Take()) {
    lines.push_back(document::Describe(problem));
  }
  return lines;
}

TEST(ReadResponse, AllPartsOfTheLanguageAreRead) {
  ResponseRules rules;
  EXPECT_THAT(Mistakes(R"([
      { "note": "anything", "status": [200, "2xx"], "when": { "/a~1b": [1.0, true, null, "*"], "doc:/x": "5xx",
        "header:X-Code": "a*", "text": ["*b", "*c*"] }, "verdict": "throttled", "reason": "/m",
        "wait": { "at": "header:X-Wait", "unit": "ms" } },
      { "as": "ndjson", "rest": "retry", "accepted_count": "/n", "lists": [
        { "each": "/r/*/s", "by": "index", "item": [ { "when": { "": "ok" }, "verdict": "duplicate" } ] },
        { "each": "/l/*", "by": { "line": "/n" }, "item": [ { "verdict": "too_large", "reason": "" } ] } ] },
      { "verdict": "partial_unknown", "then": "bisect", "rejected_count": "/n" },
      { "first_bad": { "index": "/i", "before": "accepted", "after": "retry" } } ])",
                       &rules),
              IsEmpty());
  ASSERT_EQ(rules.rules.size(), 4U);
  const ResponseRule& first = rules.rules[0];
  EXPECT_EQ(first.status, (std::vector<std::pair<int, int>>{{200, 200}, {200, 299}}));
  ASSERT_EQ(first.when.size(), 4U);
  EXPECT_EQ(first.when[0].place.path, std::vector<std::string>{"a/b"});
  EXPECT_EQ(first.when[0].wanted.at(0).text, "1");
  EXPECT_EQ(first.when[0].wanted.at(2).kind, Wanted::Kind::kAbsent);
  EXPECT_EQ(first.when[0].wanted.at(3).kind, Wanted::Kind::kPresent);
  EXPECT_EQ(first.when[1].place.of, Place::Of::kDocument);
  EXPECT_EQ(first.when[1].wanted.at(0).hundreds, 5);
  EXPECT_EQ(first.when[2].place.path, std::vector<std::string>{"x-code"});
  EXPECT_EQ(first.when[2].wanted.at(0).kind, Wanted::Kind::kPrefix);
  EXPECT_EQ(first.when[3].wanted.at(0).kind, Wanted::Kind::kSuffix);
  EXPECT_EQ(first.when[3].wanted.at(1).text, "c");
  EXPECT_EQ(first.wait->unit, std::chrono::milliseconds(1));
  const ResponseRule& second = rules.rules[1];
  EXPECT_TRUE(second.many_documents);
  EXPECT_EQ(second.rest, RuleVerdict::kRetry);
  EXPECT_EQ(second.lists.at(0).each, (std::vector<std::string>{"r", "*", "s"}));
  EXPECT_EQ(second.lists.at(1).by, ItemList::By::kLine);
  EXPECT_EQ(second.lists.at(1).item.at(0).verdict, RuleVerdict::kTooLarge);
  EXPECT_TRUE(rules.rules[2].bisect);
  EXPECT_EQ(rules.rules[3].first_bad->before, RuleVerdict::kAccepted);
}

struct RuleMistake {
  std::string name;
  std::string rule;
  std::vector<std::string> said;
};
class RuleMistakeTest : public testing::TestWithParam<RuleMistake> {};

TEST_P(RuleMistakeTest, IsSaidWithItsPlaceAndWhatIsAllowed) {
  const std::vector<std::string> lines = Mistakes("[" + GetParam().rule + "]");
  ASSERT_EQ(lines.size(), 1U) << testing::PrintToString(lines);
  for (const std::string& text : GetParam().said) {
    EXPECT_THAT(lines.front(), HasSubstr(text));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, RuleMistakeTest,
    testing::Values(
        RuleMistake{
            "StatusInQuotes", R"({"status":"200","verdict":"hold"})", {"/response/0/status", "quotes", "mean 200?"}},
        RuleMistake{"StatusTooHigh", R"({"status":600,"verdict":"hold"})", {"no status", "100 to 599"}},
        RuleMistake{"StatusClassUnknown", R"({"status":["7xx"],"verdict":"hold"})", {"/status/0", "no status"}},
        RuleMistake{"StatusEmpty", R"({"status":[],"verdict":"hold"})", {"is empty"}},
        RuleMistake{
            "UnknownKey", R"({"statsu":200,"verdict":"hold"})", {"unknown key \"statsu\"", "did you mean \"status\"?"}},
        RuleMistake{"UnknownVerdict", R"({"verdict":"acepted"})", {"no verdict", "did you mean \"accepted\"?"}},
        RuleMistake{"Confirm", R"({"verdict":"hold","confirm":{}})", {"unknown key \"confirm\""}},
        RuleMistake{"ConfirmAsVerdict", R"({"verdict":"confirm"})", {"needs \"confirm\" beside \"response\""}},
        RuleMistake{"Nothing", R"({"status":200})", {"says nothing of what was sent", "first_bad"}},
        RuleMistake{"TooMuch",
                    R"({"verdict":"retry","first_bad":{"line":"/l","before":"retry","after":"retry"}})",
                    {"more than one thing"}},
        RuleMistake{"StarInTheMiddle",
                    R"({"when":{"text":"*faultcode>*Client*"},"verdict":"hold"})",
                    {"/when/text", "* elsewhere", "did you mean \"*faultcode>*\"?"}},
        RuleMistake{
            "PlaceWithoutSlash", R"({"when":{"error":"x"},"verdict":"hold"})", {"no place", "mean \"/error\"?"}},
        RuleMistake{"BadPointer", R"({"reason":"/a~2","verdict":"hold"})", {"no JSON pointer", "~0"}},
        RuleMistake{"StarInAPlace", R"({"reason":"/a/*","verdict":"hold"})", {"many values", "each"}},
        RuleMistake{"BadHeader", R"({"reason":"header:a b","verdict":"hold"})", {"no name of a header"}},
        RuleMistake{"WantedObject", R"({"when":{"/a":{"b":1}},"verdict":"hold"})", {"/when/~1a", "compared"}},
        RuleMistake{"WantedEmpty", R"({"when":{"/a":[]},"verdict":"hold"})", {"never fits"}},
        RuleMistake{"WaitUnit", R"({"verdict":"hold","wait":{"at":"/w","unit":"sec"}})", {"/wait/unit", "ms, s, m, h"}},
        RuleMistake{"WaitPlace", R"({"verdict":"hold","wait":{"unit":"s"}})", {"/wait", "\"at\""}},
        RuleMistake{"RestAlone", R"({"verdict":"hold","rest":"accepted"})", {"/rest", "means nothing here", "lists"}},
        RuleMistake{
            "CountAlone", R"({"verdict":"hold","accepted_count":"/n"})", {"/accepted_count", "means nothing here"}},
        RuleMistake{"ThenMissing", R"({"verdict":"partial_unknown"})", {"needs \"then\"", "bisect"}},
        RuleMistake{"ThenUnknown", R"({"verdict":"partial_unknown","then":"bisekt"})", {"/then", "mean \"bisect\"?"}},
        RuleMistake{"ThenElsewhere", R"({"verdict":"hold","then":"accept"})", {"/then", "partial_unknown"}},
        RuleMistake{"EachWithoutStar",
                    R"({"lists":[{"each":"/r","by":"index","item":[{"verdict":"retry"}]}]})",
                    {"/lists/0/each", "did you mean \"/r/*\"?"}},
        RuleMistake{
            "ByUnknown", R"({"lists":[{"each":"/r/*","by":"line","item":[{"verdict":"retry"}]}]})", {"/by", "line"}},
        RuleMistake{"ByTwoWays",
                    R"({"lists":[{"each":"/r/*","by":{"line":"/a","id":"/b"},"item":[{"verdict":"retry"}]}]})",
                    {"more than one place"}},
        RuleMistake{"ListIncomplete", R"({"lists":[{"each":"/r/*","by":"index"}]})", {"not complete", "\"item\""}},
        RuleMistake{"BatchVerdictOfAnItem",
                    R"({"lists":[{"each":"/r/*","by":"index","item":[{"verdict":"hold"}]}]})",
                    {"/item/0/verdict", "whole batch only"}},
        RuleMistake{"ItemWithoutVerdict",
                    R"({"lists":[{"each":"/r/*","by":"index","item":[{"reason":"/a"}]}]})",
                    {"/item/0", "says no verdict"}},
        RuleMistake{"RestOfAListByPosition",
                    R"({"rest":"accepted","lists":[{"each":"/r/*","by":"index","item":[{"verdict":"retry"}]}]})",
                    {"/rest", "leaves out"}},
        RuleMistake{"FirstBadIncomplete", R"({"first_bad":{"line":"/l","before":"retry"}})", {"/first_bad", "after"}},
        RuleMistake{"AsUnknown", R"({"verdict":"hold","as":"xml"})", {"/as", "ndjson"}},
        RuleMistake{"NoObject", R"("accepted")", {"/response/0", "a rule"}}),
    [](const auto& test) { return test.param.name; });

TEST(ReadResponse, EveryMistakeIsSaidAtOnce) {
  EXPECT_EQ(Mistakes(R"([{"status":"200","when":{"error":"a*b"},"verdict":"ok","wait":{}},{"status":0}])").size(), 7U);
  EXPECT_EQ(Mistakes("{}").size(), 1U);
  EXPECT_EQ(Mistakes("[]").size(), 1U);
}

TEST(ReadResponse, ANoteMayStandEverywhere) {
  EXPECT_THAT(Mistakes(R"([{"note":"a","when":{"note":"b","/a":1},"lists":[{"note":"c","each":"/r/*",
                 "by":{"note":"d","id":"/i"},"item":[{"note":"e","verdict":"retry"}]}]}])"),
              IsEmpty());
}

}  // namespace
}  // namespace packhorse::contract
