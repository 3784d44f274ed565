#include "packhorsed/teardown.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace packhorse::daemon {
namespace {

// The service manager starts the daemon again after a failure only: a run that ended because of damage must not look
// like an orderly end because a destructor was slow.
TEST(TeardownDeathTest, EndsWithTheExitCodeOfTheRunWhenTearingDownIsSlow) {
  const auto end_slowly = [](int exit_code) {
    EndWithin(1, exit_code);
    sleep(10);
    _exit(1);
  };
  EXPECT_EXIT(end_slowly(74), ::testing::ExitedWithCode(74), "");
  EXPECT_EXIT(end_slowly(0), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace packhorse::daemon
