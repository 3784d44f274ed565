// Replies that a second request confirms, and the reply to that.
#include <gtest/gtest.h>

#include <string>

#include "rules_builder.h"

namespace packhorse::outcome {
namespace {

using test::Http;
using test::Json;

contract::ResponseRules ConfirmedRules(contract::Place key) {
  contract::ResponseRules rules;
  rules.rules.resize(1);
  rules.rules[0].status = {{200, 202}};
  rules.rules[0].verdict = contract::RuleVerdict::kConfirm;
  rules.confirm.emplace();
  rules.confirm->key = std::move(key);
  contract::Condition done;
  done.place.path = {"acks", "{key}"};
  done.wanted = {{contract::Wanted::Kind::kLiteral, "true", 0}};
  rules.confirm->done = {done};
  return rules;
}

contract::Place Member(const std::string& name) { return {contract::Place::Of::kDocument, {name}}; }

Verdict AskedFor(const std::string& key, const Reply& reply) {
  return JudgeConfirmation(reply, *ConfirmedRules(Member("id")).confirm, key, test::kWall);
}

TEST(ConfirmedLater, TheKeyIsTakenWithItsType) {
  const Verdict number = test::JudgeBy(ConfirmedRules(Member("id")), Json(200, R"({"id":7})"));
  EXPECT_EQ(number.action, Action::kConfirm);
  EXPECT_EQ(number.confirm_key.text, "7");
  EXPECT_TRUE(number.confirm_key.number);
  const Verdict text = test::JudgeBy(ConfirmedRules(Member("id")), Json(202, R"({"id":"7"})"));
  EXPECT_EQ(text.confirm_key.text, "7");
  EXPECT_FALSE(text.confirm_key.number);
}

TEST(ConfirmedLater, ReplyWithoutAUsableKeyContradictsItself) {
  const contract::ResponseRules rules = ConfirmedRules(Member("id"));
  for (const std::string& body :
       {std::string(R"({"code":0})"), std::string(R"({"id":null})"), std::string(R"({"id":""})"),
        std::string(R"({"id":"a\nb"})"), R"({"id":")" + std::string(2'000, 'x') + R"("})"}) {
    EXPECT_EQ(test::JudgeBy(rules, Json(200, body)).action, Action::kDeviation) << body;
  }
  EXPECT_EQ(test::JudgeBy(rules, Http(200, "<html>Sign in")).action, Action::kDeviation);
  contract::ResponseRules nothing_to_ask = rules;
  nothing_to_ask.confirm.reset();
  EXPECT_EQ(test::JudgeBy(nothing_to_ask, Json(200, R"({"id":7})")).action, Action::kDeviation);
}

TEST(ConfirmedLater, OnlyASuccessThatNamesTheKeyConfirms) {
  EXPECT_EQ(AskedFor("7", Json(200, R"({"acks":{"7":true,"8":false}})")).action, Action::kDelivered);
  EXPECT_EQ(AskedFor("8", Json(200, R"({"acks":{"7":true,"8":false}})")).action, Action::kRetry);
  EXPECT_EQ(AskedFor("9", Json(200, R"({"acks":{"7":true,"8":false}})")).action, Action::kRetry);
  EXPECT_EQ(AskedFor("7", Json(500, R"({"acks":{"7":true}})")).action, Action::kRetry);
  EXPECT_EQ(AskedFor("7", Http(200, "<html>Sign in")).action, Action::kRetry);
  Reply nothing;
  nothing.error = "timeout";
  nothing.outcome_unknown = true;
  EXPECT_EQ(AskedFor("7", nothing).action, Action::kRetry);
  EXPECT_EQ(AskedFor("7", nothing).reason, "timeout");
}

}  // namespace
}  // namespace packhorse::outcome
