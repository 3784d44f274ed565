#include "base/random.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace packhorse {
namespace {

TEST(Random, TheSameSeedGivesTheSameValues) {
  Random a(7);
  Random b(7);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(a.UpTo(1'000'000), b.UpTo(1'000'000));
  }
}

TEST(Random, UpToReachesBothEndsAndNothingBeyond) {
  Random random(1);
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 1000; ++i) {
    seen.insert(random.UpTo(3));
  }
  EXPECT_EQ(seen, (std::set<std::uint64_t>{0, 1, 2, 3}));
  EXPECT_EQ(random.UpTo(0), 0U);
}

TEST(Random, UnitStaysBelowOne) {
  Random random(1);
  for (int i = 0; i < 10'000; ++i) {
    const double value = random.Unit();
    EXPECT_GE(value, 0.0);
    EXPECT_LT(value, 1.0);
  }
}

TEST(RandomSeed, DiffersFromCallToCall) { EXPECT_NE(RandomSeed(), RandomSeed()); }

TEST(RandomBase32, HasTheLengthAndOnlyCrockfordDigits) {
  EXPECT_EQ(RandomBase32(0), "");
  const std::string text = RandomBase32(4096);
  EXPECT_EQ(text.size(), 4096U);
  EXPECT_EQ(text.find_first_not_of("0123456789abcdefghjkmnpqrstvwxyz"), std::string::npos);
  EXPECT_EQ(std::set<char>(text.begin(), text.end()).size(), 32U);
  EXPECT_NE(RandomBase32(16), RandomBase32(16));
}

TEST(RandomHex, HasTwoDigitsForEachByteAndIsNeverAllZero) {
  EXPECT_EQ(RandomHex(0), "");
  const std::string text = RandomHex(16);
  EXPECT_EQ(text.size(), 32U);
  EXPECT_EQ(text.find_first_not_of("0123456789abcdef"), std::string::npos);
  for (int i = 0; i < 2000; ++i) {
    EXPECT_NE(RandomHex(1), "00");
  }
}

}  // namespace
}  // namespace packhorse
