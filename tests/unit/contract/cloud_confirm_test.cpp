#include <gmock/gmock.h>

#include "cloud_fixture.h"

namespace packhorse::contract {
namespace {

using test::Contract;
using test::Header;
using test::Make;
using test::Told;
using ::testing::HasSubstr;

std::string WithConfirm(const std::string& confirm, const std::string& verdict = "confirm",
                        const std::string& path = "/p") {
  return R"({"contract":"acme@1.0","request":{"path":")" + path +
         R"(","body":{"json":"{items}"},"item":"{record}"},"confirm":)" + confirm +
         R"(,"response":[{"status":202,"verdict":")" + verdict + R"("},{"status":200,"verdict":"accepted"}]})";
}

std::string RefusedConfirm(const std::string& text) {
  const ContractRead read = ReadCloudContract(text, "file");
  EXPECT_EQ(read.definition, nullptr) << text;
  return Told(read);
}

TEST(CloudConfirm, KeyStandsInPathQueryHeadersAndBodyWithItsType) {
  const auto contract = Make(WithConfirm(
      R"({"key":"header:Location","request":{"method":"GET","path":"{key|raw}","query":{"k":"{key}"},"headers":{"X-Key":"{key}"}},"done":{"/state":"stored"},"every":"2s","within":"10m","else":"hold"})"));
  ASSERT_NE(contract->confirmation(), nullptr);
  EXPECT_EQ(contract->confirmation()->every, std::chrono::seconds(2));
  EXPECT_EQ(contract->confirmation()->within, std::chrono::minutes(10));
  EXPECT_EQ(contract->confirmation()->otherwise, RuleVerdict::kHold);
  const auto request = contract->RenderConfirmation(Header(), {"/jobs/7"});
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->method, "GET");
  EXPECT_EQ(request->path, "/jobs/7?k=%2Fjobs%2F7");
  EXPECT_EQ(request->headers, (Headers{{"X-Key", "/jobs/7"}}));
  EXPECT_FALSE(contract->RenderConfirmation(Header(), {"https://elsewhere.example/jobs/7"}));

  const auto post = Make(WithConfirm(
      R"({"key":"/id","request":{"path":"/ask","body":{"json":{"ids":["{key}"],"gw":"{gateway.id}"}}},"done":{"/ids/{key}":true}})"));
  EXPECT_EQ(post->RenderConfirmation(Header(), {"7", true})->body, R"({"ids":[7],"gw":"gw 1"})");
  EXPECT_EQ(post->RenderConfirmation(Header(), {"7"})->body, R"({"ids":["7"],"gw":"gw 1"})");
  ASSERT_TRUE(post->response().confirm);
  EXPECT_EQ(post->response().confirm->done[0].place.path, (std::vector<std::string>{"ids", "{key}"}));
}

TEST(CloudConfirm, MistakesAreNamedAtTheirPlaces) {
  const std::string good = R"({"key":"/id","request":{"path":"/a"},"done":{"/x":1}})";
  EXPECT_THAT(RefusedConfirm(WithConfirm(good, "accepted")), HasSubstr("/response: has no rule with the verdict"));
  std::string alone = Contract(R"({"path":"/p","body":{"json":"{items}"},"item":"{record}"})");
  alone.replace(alone.find("accepted"), 8, "confirm");
  EXPECT_THAT(RefusedConfirm(alone), HasSubstr("needs \"confirm\" beside \"response\""));
  EXPECT_THAT(RefusedConfirm(WithConfirm(good, "confirm", "/{key}")),
              HasSubstr("/request/path: \"key\" cannot stand here"));
  EXPECT_THAT(
      RefusedConfirm(WithConfirm(R"({"key":"/id","request":{"path":"/a","body":{"json":"{items}"}},"done":{"/x":1}})")),
      HasSubstr("/confirm/request/body/json: \"items\" cannot stand here"));
  EXPECT_THAT(RefusedConfirm(WithConfirm(R"({"key":"/id","request":{"path":"/a"},"done":{}})")),
              HasSubstr("/confirm/done: says not what"));
  EXPECT_THAT(RefusedConfirm(WithConfirm(R"({"key":"id","request":{"path":"/a"},"done":{"/x":1}})")),
              HasSubstr("/confirm/key"));
  EXPECT_THAT(RefusedConfirm(WithConfirm(R"({"key":"/id","request":{"path":"/a"},"done":{"/x":1},"else":"retri"})")),
              HasSubstr("did you mean \"retry\"?"));
  EXPECT_THAT(RefusedConfirm(WithConfirm(R"({"key":"/id","request":{"path":"/a"}})")),
              HasSubstr("\"done\" is missing"));
  EXPECT_THAT(RefusedConfirm(WithConfirm(R"({"key":"/id","request":{"path":"a"},"done":{"/x":1}})")),
              HasSubstr("/confirm/request/path: the path does not start with '/'"));
}

TEST(CloudConfirm, WhatIsMissingIsToldOnceAndAtItsPlace) {
  const ContractRead read = ReadCloudContract(WithConfirm(R"({})"), "file");
  EXPECT_EQ(read.definition, nullptr);
  ASSERT_EQ(read.problems.size(), 3U) << Told(read);
  for (const document::Problem& problem : read.problems) {
    EXPECT_EQ(problem.path, "/confirm") << Told(read);
    EXPECT_EQ(problem.line, 1U) << Told(read);
  }
}

}  // namespace
}  // namespace packhorse::contract
