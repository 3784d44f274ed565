#include "control/protocol.h"

#include <gtest/gtest.h>

#include <string>

namespace packhorse::control {
namespace {

TEST(ParseRequest, TakesCommandAndArguments) {
  const auto call = ParseRequest(R"({"command":"pause","args":{"destination":"cloud","n":[1,2.5,null]}})");
  ASSERT_TRUE(call) << call.error().message;
  EXPECT_EQ(call->command, "pause");
  EXPECT_EQ(call->args, R"({"destination":"cloud","n":[1,2.5,null]})");
  EXPECT_FALSE(call->may_change);
}

TEST(ParseRequest, AbsentArgumentsAreAnEmptyObject) {
  EXPECT_EQ(ParseRequest(R"({"command":"status"})")->args, "{}");
  EXPECT_EQ(ParseRequest(R"({"command":"status","args":null})")->args, "{}");
}

TEST(ParseRequest, UnknownMembersAreLeftToLaterReleases) {
  EXPECT_TRUE(ParseRequest(R"({"command":"status","trace":"1"})"));
}

TEST(ParseRequest, WhatIsNoRequestIsRefused) {
  const std::string bad[] = {"",
                             " ",
                             "status",
                             "null",
                             "[]",
                             "1",
                             "{",
                             "{}",
                             R"({"command":1})",
                             R"({"command":""})",
                             R"({"command":"a","args":[]})",
                             R"({"command":"a","args":"x"})",
                             R"({"command":"a"}})",
                             "{\"command\":\"\xC3\x28\"}",
                             std::string("{\"command\":\"a\0\"}", 15),
                             "{\"command\":\"" + std::string(65, 'a') + "\"}"};
  for (const std::string& line : bad) {
    const auto call = ParseRequest(line);
    ASSERT_FALSE(call) << line;
    EXPECT_EQ(call.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST(ParseRequest, NestingHasABound) {
  const auto nested = [](std::size_t depth) {
    return R"({"command":"a","args":{"x":)" + std::string(depth, '[') + std::string(depth, ']') + "}}";
  };
  EXPECT_TRUE(ParseRequest(nested(30)));
  EXPECT_FALSE(ParseRequest(nested(31)));
  EXPECT_FALSE(ParseRequest(std::string(60'000, '[')));
  // Brackets in a string do not nest.
  EXPECT_TRUE(ParseRequest(R"({"command":"a","args":{"x":")" + std::string(100, '[') + R"(\"[["}})"));
}

TEST(Reply, ResultComesBackAsItWas) {
  for (const std::string& json : {std::string("null"), std::string(R"({"z":1,"a":[true,"\n",18446744073709551615]})"),
                                  std::string("\"text\""), std::string("-1.5")}) {
    for (const bool more : {false, true}) {
      const auto reply = ParseReply(FormatResult(json, more));
      ASSERT_TRUE(reply);
      EXPECT_EQ(*reply, json);
    }
  }
}

TEST(Reply, IsOneLineWhateverTheResultLooksLike) {
  const std::string line = FormatResult("{\n  \"a\": 1\r\n}", false);
  EXPECT_EQ(line.find_first_of("\r\n"), std::string::npos);
  EXPECT_EQ(*ParseReply(line), R"({"a":1})");
  EXPECT_EQ(*ParseReply(FormatResult("", false)), "null");
}

TEST(Reply, ErrorKeepsItsCode) {
  for (int code = 0; code <= static_cast<int>(ErrorCode::kInternal); ++code) {
    const Error error{static_cast<ErrorCode>(code), "line one\nline \"two\""};
    const auto reply = ParseReply(FormatError(error));
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code, error.code);
    EXPECT_EQ(reply.error().message, error.message);
  }
}

TEST(Reply, InvalidUtf8InAMessageDoesNoHarm) {
  const auto reply = ParseReply(FormatError({ErrorCode::kIo, "bad \xFF byte"}));
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, ErrorCode::kIo);
}

TEST(Reply, UnknownCodeIsInternal) {
  const auto reply = ParseReply(R"({"ok":false,"error":{"code":"of_the_future","message":"m"}})");
  EXPECT_EQ(reply.error().code, ErrorCode::kInternal);
  EXPECT_EQ(reply.error().message, "m");
}

TEST(Reply, WhatIsNoReplyIsCorrupt) {
  for (const std::string& line :
       {std::string(), std::string("{}"), std::string("[]"), std::string(R"({"ok":1})"), std::string(R"({"ok":false})"),
        std::string(R"({"ok":false,"error":"x"})"), std::string(R"({"ok":true,"result":)"), std::string(10'000, '[')}) {
    EXPECT_EQ(ParseReply(line).error().code, ErrorCode::kCorrupt) << line.substr(0, 40);
  }
}

TEST(FormatRequest, IsUnderstoodByTheServer) {
  const auto call = ParseRequest(FormatRequest("tail", "{\n\"stream\": \"a\\\"b\"}"));
  ASSERT_TRUE(call);
  EXPECT_EQ(call->command, "tail");
  EXPECT_EQ(call->args, R"({"stream":"a\"b"})");
  EXPECT_EQ(ParseRequest(FormatRequest("x", ""))->args, "{}");
}

}  // namespace
}  // namespace packhorse::control
