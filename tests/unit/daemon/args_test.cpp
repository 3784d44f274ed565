#include "packhorsed/args.h"

#include <gtest/gtest.h>

namespace packhorse::daemon {
namespace {

Args Parsed(const std::string& text) {
  Result<Args> args = Args::Parse(text);
  EXPECT_TRUE(args) << text;
  return std::move(args).value();
}

TEST(Args, OnlyAJsonObjectIsAccepted) {
  for (const char* text : {"", "[]", "1", "{", "null", "{} {}"}) {
    EXPECT_FALSE(Args::Parse(text)) << text;
  }
  EXPECT_TRUE(Args::Parse("{}"));
}

TEST(Args, AbsentAndNullMembersGiveTheFallback) {
  const Args args = Parsed(R"({"b":null})");
  EXPECT_EQ(*args.Text("a", "x"), "x");
  EXPECT_EQ(*args.Integer("b", 7, 0, 10), 7);
  EXPECT_FALSE(*args.Flag("c"));
  EXPECT_TRUE(args.Integers("d", 3)->empty());
}

TEST(Args, MembersOfAnotherTypeOrOutOfRangeAreRefused) {
  const Args args =
      Parsed(R"({"t":1,"i":"1","f":1,"n":-1,"big":18446744073709551615,"real":1.5,"l":[1,"x"],"m":[1,2,3,4]})");
  EXPECT_EQ(args.Text("t", "").error().code, ErrorCode::kInvalidArgument);
  for (const char* name : {"i", "n", "big", "real"}) {
    EXPECT_FALSE(args.Integer(name, 0, 0, INT64_MAX)) << name;
  }
  EXPECT_FALSE(args.Flag("f"));
  EXPECT_FALSE(args.Integers("l", 3));
  EXPECT_FALSE(args.Integers("m", 3));
}

TEST(Args, ValuesInRangeAreGivenBack) {
  const Args args = Parsed(R"({"t":"x","i":10,"f":true,"l":[1,2]})");
  EXPECT_EQ(*args.Text("t", ""), "x");
  EXPECT_EQ(*args.Integer("i", 0, 0, 10), 10);
  EXPECT_TRUE(*args.Flag("f"));
  EXPECT_EQ(*args.Integers("l", 3), (std::vector<std::int64_t>{1, 2}));
}

}  // namespace
}  // namespace packhorse::daemon
