#include "format/text/scalar.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace packhorse::format {
namespace {

TEST(Scalar, IsAssignedToAValueOfAnyOtherKind) {
  const std::string text = "a text of more than sixteen bytes";
  const std::vector<Value> values = {
      nullptr, true,          false, std::int64_t{-7},    std::uint64_t{9'223'372'036'854'775'808U},
      0.5,     std::string(), text,  std::string("short")};
  for (const Value& before : values) {
    for (const Value& wanted : values) {
      Value value = before;
      Assign(value, ToScalar(wanted));
      EXPECT_EQ(value, wanted);
    }
  }
}

TEST(Scalar, TextIsWrittenInTheMemoryOfTheTextBefore) {
  Value value = std::string(100, 'a');
  const char* const memory = std::get<std::string>(value).data();
  Assign(value, std::string_view("shorter"));
  EXPECT_EQ(std::get<std::string>(value), "shorter");
  EXPECT_EQ(std::get<std::string>(value).data(), memory);
}

}  // namespace
}  // namespace packhorse::format
