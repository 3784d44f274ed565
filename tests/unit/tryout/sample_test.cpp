#include "tryout/sample.h"

#include <gmock/gmock.h>

#include "support/process.h"
#include "support/temp_dir.h"
#include "try_contract.h"
#include "tryout/json_value.h"

namespace packhorse::tryout {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kContract[] = R"({
  "contract": "plain@1.0",
  "settings": { "token": { "secret": true } },
  "request": { "method": "POST", "path": "/points", "headers": { "Authorization": "Bearer {settings.token}" },
    "body": { "json": { "points": "{items}" } },
    "item": { "id": "{record_id}", "device": "{device_id}", "values": "{fields}" } },
  "accepts": { "kinds": ["telemetry"], "max_items": 10, "max_bytes": "1MiB" },
  "response": [
    { "status": 200, "verdict": "accepted", "accepted_count": "/stored" },
    { "status": 422, "lists": [ { "each": "/errors/*", "by": { "index": "/at" }, "item": [
      { "verdict": "rejected", "reason": "/why" } ] } ], "rest": "accepted" } ] })";

constexpr char kSample[] = R"({
  "settings": { "token": "t0ken-of-the-sample" },
  "messages": [ { "device": "a", "payload": { "t": 21.5 } },
                { "device": "b", "payload": { "t": 22 } } ],
  "request": { "method": "POST", "path": "/points", "headers": { "authorization": "Bearer t0ken-of-the-sample" },
    "body": { "points": [ { "id": "samples.n.1", "device": "a", "values": { "t": 21.5 } },
                          { "id": "samples.n.2", "device": "b", "values": { "t": 22 } } ] } },
  "replies": [ { "status": 200, "body": { "stored": 2 }, "expected": "accepted" },
               { "status": 422, "body": { "errors": [ { "at": 1, "why": "too hot" } ] },
                 "expected": ["accepted", "rejected"], "reason": "too hot" } ] })";

std::string With(std::string text, const std::string& old, const std::string& now) {
  const std::size_t at = text.find(old);
  EXPECT_NE(at, std::string::npos) << old;
  return at == std::string::npos ? text : text.replace(at, old.size(), now);
}

TEST(SampleRun, AContractThatDoesWhatTheSampleSaysHasNoFindings) {
  EXPECT_THAT(Try(ReadContract(kContract), kSample), ElementsAre());
}

TEST(SampleRun, EveryDeviationIsNamedWithItsPlace) {
  const auto contract = ReadContract(kContract);
  EXPECT_THAT(Try(contract, With(kSample, R"("values": { "t": 22 })", R"("values": { "t": 23 })")),
              ElementsAre(HasSubstr("/points/1/values/t: expected 23, is 22")));
  EXPECT_THAT(Try(contract, With(kSample, R"("path": "/points")", R"("path": "/other")")),
              ElementsAre(HasSubstr("expected POST /other, is POST /points")));
  EXPECT_THAT(Try(contract, With(kSample, R"("authorization": "Bearer)", R"("authorization": "Token)")),
              ElementsAre(HasSubstr("header authorization")));
  EXPECT_THAT(Try(contract, With(kSample, R"("expected": "accepted")", R"("expected": "retry")")),
              ElementsAre(HasSubstr("expected retry; is accepted")));
  EXPECT_THAT(Try(contract, With(kSample, R"(["accepted", "rejected"])", R"(["rejected", "rejected"])")),
              ElementsAre(HasSubstr("expected rejected, rejected; is accepted, rejected")));
  EXPECT_THAT(Try(contract, With(kSample, R"("reason": "too hot")", R"("reason": "too cold")")),
              ElementsAre(HasSubstr("expected a reason with")));
}

TEST(SampleRun, ARecordThatIsNotSentHasItsFate) {
  const std::string skipped = With(kSample, R"("device": "a",)", R"("device": "a", "kind": "gap",)");
  EXPECT_THAT(Try(ReadContract(kContract), skipped),
              testing::Contains(HasSubstr("samples.n.1: expected items, is skipped")));
}

TEST(SampleReading, EveryMistakeIsNamedAtOnceWithItsPlace) {
  const SampleRead read = ReadSample(R"({ "messages": [ { "topic": "a", "payolad": 1 } ],
    "replies": [ { "status": 2000, "expected": "accepted" } ], "requst": {} })",
                                     "mine.json");
  EXPECT_THAT(Lines(read.problems), testing::AllOf(testing::Contains(HasSubstr("/messages/0/payolad")),
                                                   testing::Contains(HasSubstr("did you mean \"payload\"?")),
                                                   testing::Contains(HasSubstr("/replies/0/status")),
                                                   testing::Contains(HasSubstr("did you mean \"request\"?"))));
}

TEST(SampleReading, AVerdictThatIsNoneIsRefusedWithASuggestion) {
  const SampleRead read = ReadSample(
      R"({ "messages": [ { "payload": 1 } ], "replies": [ { "status": 200, "expected": "acepted" } ] })", "mine.json");
  EXPECT_THAT(Lines(read.problems),
              ElementsAre(testing::AllOf(HasSubstr("/replies/0/expected"), HasSubstr("did you mean \"accepted\"?"))));
}

TEST(SampleReading, AFolderGivesItsFilesByNameAndNoFolderGivesNone) {
  const test::TempDir folder;
  test::WriteAll(folder / "b.json", kSample);
  test::WriteAll(folder / "a.json", "{");
  test::WriteAll(folder / "notes.txt", "not a sample");
  const auto read = ReadSamples(folder.path());
  ASSERT_TRUE(read);
  ASSERT_EQ(read->size(), 2U);
  EXPECT_FALSE(read->at(0).problems.empty());
  EXPECT_TRUE(read->at(1).problems.empty());
  EXPECT_TRUE(ReadSamples(folder / "none")->empty());
  EXPECT_EQ(SampleFolderOf("/etc/x/acme@1.0.json"), "/etc/x/acme@1.0.samples");
}

std::string Difference(std::string_view expected, std::string_view actual) {
  return FirstDifference(document::ParseDocument(expected).root, document::ParseDocument(actual).root).value_or("");
}

TEST(JsonValues, NumbersAreComparedByValueAndExactWhereADoubleIsNot) {
  EXPECT_EQ(Difference("21.50", "21.5"), "");
  EXPECT_EQ(Difference("1", "1.0"), "");
  EXPECT_NE(Difference("9007199254740993", "9007199254740992"), "");
  EXPECT_NE(Difference("1795165920.1234568", "1795165920.1234567"), "");
  EXPECT_NE(Difference("1", "true"), "");
  EXPECT_NE(Difference("null", "0"), "");
}

TEST(JsonValues, ADifferenceNamesItsPlace) {
  EXPECT_EQ(Difference(R"({"a":[1,{"b":"x"}]})", R"({"a":[1,{"b":"y"}]})"), R"(/a/1/b: expected "x", is "y")");
  EXPECT_EQ(Difference(R"({"a":1})", R"({"a":1,"b/c":2})"), "/b~1c: not expected, is 2");
  EXPECT_EQ(Difference(R"({"a":1,"b":[]})", R"({"b":[],"a":1})"), "");
  EXPECT_EQ(Difference("[1,2]", "[1]"), "/: expected 2 elements, are 1");
}

TEST(JsonValues, WhatIsWrittenIsWhatWasRead) {
  constexpr char kText[] = R"({"a":[],"b":{},"c":[1,2.50,"x\n\"",null,true],"d":{"e":18446744073709551615}})";
  EXPECT_EQ(WriteCompact(document::ParseDocument(kText).root), kText);
}

}  // namespace
}  // namespace packhorse::tryout
