#include "format/compression/coding.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <random>
#include <string>
#include <utility>

#include "format/compression/snappy.h"
#include "format/compression/zstd.h"
#include "support/process.h"

namespace packhorse::format {
namespace {

std::string Records(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    text += R"({"record_id":"k3f9.n.)" + std::to_string(i) + R"(","values":{"temp":)" + std::to_string(i % 40) + "}},";
  }
  return text;
}

// Bytes that no coding makes fewer.
std::string Noise(std::size_t size) {
  std::mt19937 random(7);
  std::string bytes(size, '\0');
  std::generate(bytes.begin(), bytes.end(), [&random] { return static_cast<char>(random()); });
  return bytes;
}

TEST(Zstd, RealZstdGivesTheBytesBack) {
  for (const std::string& bytes : {std::string(), std::string("x"), Records(2000), Noise(300'000), Noise(20'000)}) {
    const Result<std::string> packed = Zstd(bytes);
    ASSERT_TRUE(packed) << packed.error().message;
    const test::RunResult real = test::Run({"zstd", "-dc"}, *packed);
    EXPECT_EQ(real.exit_code, 0) << real.err;
    EXPECT_EQ(real.out, bytes);
    EXPECT_EQ(Unzstd(*packed, bytes.size()).value_or("?"), bytes);
  }
}

TEST(Zstd, FrameThatDoesNotTellItsSizeIsReadWithinTheBound) {
  const std::string text = Records(20'000);
  const test::RunResult real = test::Run({"zstd", "-qc"}, text);  // of a stream, whose size zstd does not know
  ASSERT_EQ(real.exit_code, 0) << real.err;
  EXPECT_EQ(Unzstd(real.out, text.size()).value_or("?"), text);
  EXPECT_FALSE(Unzstd(real.out, text.size() - 1));
}

TEST(Zstd, WhatIsNotOneWholeFrameIsCorrupt) {
  const std::string packed = *Zstd(Records(50));
  for (const std::string& bytes :
       {std::string(), std::string("plain"), packed.substr(0, packed.size() - 1), packed + "x", packed + packed}) {
    const Result<std::string> back = Unzstd(bytes, 1'000'000);
    ASSERT_FALSE(back) << bytes.size();
    EXPECT_EQ(back.error().code, ErrorCode::kCorrupt);
  }
  EXPECT_TRUE(Unzstd(packed, 1'000'000)) << "an input that failed leaves nothing behind";
}

TEST(Zstd, WindowBeyondEightMebibytesIsRefused) {
  const test::RunResult real = test::Run({"zstd", "-qc", "--long=27"}, std::string(20'000'000, 'a'));
  ASSERT_EQ(real.exit_code, 0) << real.err;
  EXPECT_FALSE(Unzstd(real.out, 100'000'000));
}

TEST(Snappy, BlockIsAsItsFormatSays) {
  // The content's size, then a literal: its length less one in the upper six bits.
  EXPECT_EQ(*Snappy("abc"), std::string("\x03\x08"
                                        "abc"));
  EXPECT_EQ(*Snappy(""), std::string(1, '\0'));
  const std::string text = Records(2000);
  EXPECT_LT(Snappy(text)->size() * 3, text.size());
  EXPECT_EQ(Unsnappy(*Snappy(text), text.size()).value_or("?"), text);
}

TEST(Snappy, DamagedOrLargerIsCorrupt) {
  const std::string text = Records(50);
  const std::string packed = *Snappy(text);
  EXPECT_FALSE(Unsnappy(packed, text.size() - 1));
  EXPECT_FALSE(Unsnappy(packed.substr(0, packed.size() - 1), 1'000'000));
  EXPECT_FALSE(Unsnappy("", 1'000'000));
  EXPECT_FALSE(Unsnappy("\xff\xff\xff\xff\x0f", 1'000'000));
}

TEST(Coding, EachNameDecodesWhatItEncodes) {
  const std::string text = Records(100);
  for (const std::string coding : {"", "gzip", "zstd", "snappy"}) {
    const Result<std::string> packed = Encode(coding, text);
    ASSERT_TRUE(packed) << coding;
    EXPECT_EQ(packed->size() < text.size(), !coding.empty());
    EXPECT_EQ(Encode(coding, text).value_or("?"), *packed) << coding;
    EXPECT_EQ(Decode(coding, *packed, text.size()).value_or("?"), text) << coding;
    EXPECT_FALSE(Decode(coding, *packed, text.size() - 1)) << coding;
  }
}

TEST(Coding, UnknownNameIsUnsupportedAndNamed) {
  for (const Result<std::string>& result : {Encode("br\n", "x"), Decode("br\n", "x", 1)}) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kUnsupported);
    EXPECT_EQ(result.error().message, "content coding \"br\\n\" is none of gzip, zstd, snappy");
  }
}

}  // namespace
}  // namespace packhorse::format
