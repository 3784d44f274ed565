#include "base/result.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <set>
#include <string>
#include <type_traits>
#include <vector>

namespace packhorse {
namespace {

TEST(Result, HoldsAValueOrAnError) {
  const Result<int> good = 7;
  ASSERT_TRUE(good);
  EXPECT_EQ(*good, 7);
  EXPECT_EQ(good.value_or(1), 7);
  const Result<int> bad = Error{ErrorCode::kNotFound, "no such thing"};
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(bad.value_or(1), 1);
}

TEST(Result, AValueThatCannotBeCopiedCanBeMovedOut) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(3);
  ASSERT_TRUE(result);
  const std::unique_ptr<int> value = *std::move(result);
  EXPECT_EQ(*value, 3);
}

TEST(Result, AListLivesAsLongAsTheLoopOverIt) {
  const auto list = [] { return Result<std::vector<std::string>>(std::vector<std::string>{"a", "b"}); };
  std::string all;
  for (const std::string& item : *list()) {  // AddressSanitizer sees it where the list is gone
    all += item;
  }
  EXPECT_EQ(all, "ab");
  static_assert(std::is_same_v<decltype(*list()), std::vector<std::string>>);
}

TEST(Status, IsFineByDefault) {
  EXPECT_TRUE(Status());
  const Status bad = Error{ErrorCode::kIo, "broken"};
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().message, "broken");
}

TEST(Error, ContextGoesInFrontAndTheCodeStays) {
  const Error error = Error{ErrorCode::kCorrupt, "bad page"}.With("read segment 3").With("open queue");
  EXPECT_EQ(error.code, ErrorCode::kCorrupt);
  EXPECT_EQ(error.message, "open queue: read segment 3: bad page");
}

TEST(ErrorCode, EveryCodeHasItsOwnName) {
  std::set<std::string_view> names;
  for (int code = 0; code <= static_cast<int>(ErrorCode::kInternal); ++code) {
    names.insert(Name(static_cast<ErrorCode>(code)));
  }
  EXPECT_EQ(names.size(), 13U);
  EXPECT_EQ(names.count("disk_full"), 1U);
}

TEST(ErrnoError, ChoosesTheCodeAndSaysWhatFailed) {
  const auto code = [](int number) { return ErrnoError("open x", number).code; };
  EXPECT_EQ(code(ENOSPC), ErrorCode::kDiskFull);
  EXPECT_EQ(code(EDQUOT), ErrorCode::kDiskFull);
  EXPECT_EQ(code(EACCES), ErrorCode::kPermissionDenied);
  EXPECT_EQ(code(EROFS), ErrorCode::kPermissionDenied);
  EXPECT_EQ(code(ENOENT), ErrorCode::kNotFound);
  EXPECT_EQ(code(EEXIST), ErrorCode::kAlreadyExists);
  EXPECT_EQ(code(ECONNREFUSED), ErrorCode::kUnavailable);
  EXPECT_EQ(code(ENETUNREACH), ErrorCode::kUnavailable);
  EXPECT_EQ(code(EBUSY), ErrorCode::kBusy);
  EXPECT_EQ(code(ETIMEDOUT), ErrorCode::kTimeout);
  EXPECT_EQ(code(EINVAL), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(EIO), ErrorCode::kIo);
  EXPECT_EQ(ErrnoError("open x", ENOENT).message, "open x: No such file or directory");
}

}  // namespace
}  // namespace packhorse
