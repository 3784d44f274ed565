// What a batch needs of its messages is made ahead on another thread.

#include "delivery/working_ahead.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>

namespace packhorse::delivery {
namespace {

// The first `taken` of `count` come out in order, whatever thread has made them.
void Take(WorkingAhead& ahead, std::size_t count, std::size_t taken) {
  const WorkingAhead::Make make = [](std::size_t i) {
    Made made;
    made.decoded.detail = "message " + std::to_string(i) + ", made for a test";
    return made;
  };
  WorkingAhead::Look look(ahead, count, make);
  for (std::size_t i = 0; i < taken; ++i) {
    ASSERT_EQ(look.Next().decoded.detail, "message " + std::to_string(i) + ", made for a test");
  }
}

TEST(WorkingAhead, MessagesComeInOrder) {
  WorkingAhead ahead;
  for (const std::size_t count : {0U, 1U, 16U, 63U, 64U, 65U, 500U, 3'000U}) {
    Take(ahead, count, count);
  }
}

TEST(WorkingAhead, LookThatEndsEarlyLeavesNothingBehind) {
  WorkingAhead ahead;
  for (std::size_t taken = 0; taken < 300; ++taken) {
    Take(ahead, 500, taken);
    Take(ahead, 100, 100);
  }
}

TEST(WorkingAhead, NothingIsMadeAfterALook) {
  WorkingAhead ahead;
  std::atomic<bool> over{false};
  std::atomic<int> late{0};
  const WorkingAhead::Make make = [&](std::size_t) {
    late += over ? 1 : 0;
    return Made();
  };
  for (int i = 0; i < 100; ++i) {
    over = false;
    {
      WorkingAhead::Look look(ahead, 1'000, make);
      look.Next();
    }
    over = true;
    std::this_thread::yield();
  }
  EXPECT_EQ(late, 0);
}

TEST(WorkingAhead, OnlySoManyAreMadeAhead) {
  WorkingAhead ahead;
  std::atomic<int> made{0};
  const WorkingAhead::Make make = [&](std::size_t) {
    ++made;
    return Made();
  };
  WorkingAhead::Look look(ahead, 10'000, make);
  for (int i = 0; i < 2'000; ++i) {
    look.Next();
    ASSERT_LE(made, i + 1 + 16 * 10);  // eight parts, and one in the hands of each thread
  }
}

}  // namespace
}  // namespace packhorse::delivery
