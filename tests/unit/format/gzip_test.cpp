#include "format/compression/gzip.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <string>

#include "support/process.h"

namespace packhorse::format {
namespace {

// What the real gunzip makes of it.
std::string RealGunzip(const std::string& bytes) {
  const test::RunResult result = test::Run({"gzip", "-dc"}, bytes);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  return result.out;
}

std::string Telemetry(int records) {
  std::string text = "[";
  for (int i = 0; i < records; ++i) {
    text += R"({"record_id":"k3f9.n.)" + std::to_string(i) + R"(","temperature":)" + std::to_string(i % 40) + "},";
  }
  return text + "null]";
}

TEST(Gzip, RealGunzipGivesTheBytesBack) {
  std::string binary;
  for (int i = 0; i < 100'000; ++i) {
    binary += static_cast<char>((i * 7919) >> 3);
  }
  for (const std::string& bytes : {std::string(), std::string("x"), Telemetry(1000), binary}) {
    const Result<std::string> packed = Gzip(bytes);
    ASSERT_TRUE(packed) << packed.error().message;
    EXPECT_EQ(RealGunzip(*packed), bytes);
    const Result<std::string> back = Gunzip(*packed, bytes.size());
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(*back, bytes);
  }
}

TEST(Gzip, HeaderTellsNeitherTimeNorSystem) {
  const Result<std::string> packed = Gzip("abc");
  ASSERT_TRUE(packed);
  // RFC 1952 section 2.3: ID1 ID2 CM FLG, MTIME (4), XFL, OS.
  EXPECT_EQ(packed->substr(0, 8), std::string("\x1f\x8b\x08\x00\x00\x00\x00\x00", 8));
  EXPECT_EQ(static_cast<unsigned char>(packed->at(9)), 255U);
}

TEST(Gzip, EqualBytesGiveEqualBytes) { EXPECT_EQ(*Gzip(Telemetry(500)), *Gzip(Telemetry(500))); }

TEST(Gzip, TelemetryShrinksToLessThanAFifth) {
  const std::string text = Telemetry(1000);
  EXPECT_LT(Gzip(text)->size() * 5, text.size());
}

TEST(Gzip, MoreThanAGibibyteIsRefused) {
  // Address space only: pages that nobody reads cost no memory.
  constexpr std::size_t kSize = (1U << 30U) + 1U;
  void* pages = mmap(nullptr, kSize, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ASSERT_NE(pages, MAP_FAILED);
  const Result<std::string> packed = Gzip({static_cast<const char*>(pages), kSize});
  munmap(pages, kSize);
  ASSERT_FALSE(packed);
  EXPECT_EQ(packed.error().code, ErrorCode::kLimitExceeded);
}

TEST(Gunzip, WhatIsNotOneWholeMemberIsCorrupt) {
  const std::string packed = *Gzip(Telemetry(50));
  std::string lies = packed;
  lies.back() = '\x7f';  // the size at the end
  std::string damaged = packed;
  damaged[packed.size() / 2] = static_cast<char>(~damaged[packed.size() / 2]);
  for (const std::string& bytes : {std::string(), std::string("plain"), packed.substr(0, packed.size() - 1),
                                   packed + "x", packed + packed, lies, damaged}) {
    const Result<std::string> back = Gunzip(bytes, 1'000'000);
    ASSERT_FALSE(back) << bytes.size();
    EXPECT_EQ(back.error().code, ErrorCode::kCorrupt);
  }
}

TEST(Gunzip, MoreThanIsAllowedIsCorrupt) {
  const std::string text = Telemetry(50);
  EXPECT_TRUE(Gunzip(*Gzip(text), text.size()));
  EXPECT_FALSE(Gunzip(*Gzip(text), text.size() - 1));
}

TEST(GunzipPart, StreamThatIsCutOrLargerGivesItsBeginning) {
  const std::string text = Telemetry(5000);
  const std::string packed = *Gzip(text);
  const auto cut = GunzipPart(packed.substr(0, packed.size() / 2), text.size());
  ASSERT_TRUE(cut);
  EXPECT_FALSE(cut->complete);
  EXPECT_FALSE(cut->bytes.empty());
  EXPECT_EQ(text.compare(0, cut->bytes.size(), cut->bytes), 0);
  const auto larger = GunzipPart(packed, 100);
  ASSERT_TRUE(larger);
  EXPECT_FALSE(larger->complete);
  EXPECT_EQ(larger->bytes, text.substr(0, 100));
  const auto whole = GunzipPart(packed, text.size());
  ASSERT_TRUE(whole);
  EXPECT_TRUE(whole->complete);
  EXPECT_FALSE(GunzipPart("plain text", 100));
}

}  // namespace
}  // namespace packhorse::format
