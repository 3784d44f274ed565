// What a batch needs of its messages is made ahead on another thread.

#include "delivery/working_ahead.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace packhorse::delivery {
namespace {

// The first `taken` of `count` come out in order, whatever thread has made them.
void Take(WorkingAhead& ahead, std::size_t count, std::size_t taken) {
  const auto text = [](std::size_t i, std::size_t record) {
    return "record " + std::to_string(record) + " of message " + std::to_string(i);
  };
  const auto records = [](std::size_t i) { return i % 7 == 0 ? i % 5 : 1; };
  const WorkingAhead::Make make = [&](std::size_t i, std::vector<contract::RenderedRecord>& rendered) {
    for (std::size_t record = 0; record < records(i); ++record) {
      rendered.emplace_back().text = contract::ItemText(text(i, record));
    }
    contract::Decoded decoded;
    decoded.detail = "message " + std::to_string(i) + ", made for a test";
    return decoded;
  };
  WorkingAhead::Look look(ahead, count, make);
  for (std::size_t i = 0; i < taken; ++i) {
    const Made made = look.Next();
    look.Take();
    ASSERT_EQ(made.decoded.detail, "message " + std::to_string(i) + ", made for a test");
    ASSERT_EQ(made.rendered.size(), records(i));
    for (std::size_t record = 0; record < records(i); ++record) {
      ASSERT_EQ(made.rendered[record].text.view(), text(i, record));
    }
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
  const WorkingAhead::Make make = [&](std::size_t, std::vector<contract::RenderedRecord>&) {
    late += over ? 1 : 0;
    return contract::Decoded();
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
  const WorkingAhead::Make make = [&](std::size_t, std::vector<contract::RenderedRecord>&) {
    ++made;
    return contract::Decoded();
  };
  WorkingAhead::Look look(ahead, 10'000, make);
  for (int i = 0; i < 2'000; ++i) {
    look.Next();
    look.Take();
    ASSERT_LE(made, i + 1 + 32 * 18);  // sixteen parts, and one in the hands of each thread
  }
}

TEST(WorkingAhead, TwoLooksAtATimeDoNotMeet) {
  WorkingAhead ahead;
  const auto of = [](const std::string& name) {
    return [name](std::size_t i, std::vector<contract::RenderedRecord>&) {
      contract::Decoded decoded;
      decoded.detail = name + std::to_string(i);
      return decoded;
    };
  };
  WorkingAhead::Look first(ahead, 500, of("first "));
  WorkingAhead::Look second(ahead, 500, of("second "));
  for (std::size_t i = 0; i < 500; ++i) {
    ASSERT_EQ(first.Next().decoded.detail, "first " + std::to_string(i));
    ASSERT_EQ(second.Next().decoded.detail, "second " + std::to_string(i));
    first.Take();
    second.Take();
  }
}

TEST(WorkingAhead, MessageStaysTheNextUntilItIsTaken) {
  WorkingAhead ahead;
  WorkingAhead::Look look(ahead, 100, [](std::size_t i, std::vector<contract::RenderedRecord>&) {
    contract::Decoded decoded;
    decoded.detail = std::to_string(i);
    return decoded;
  });
  for (std::size_t i = 0; i < 100; ++i) {
    ASSERT_EQ(look.Next().decoded.detail, std::to_string(i));
    ASSERT_EQ(look.Next().decoded.detail, std::to_string(i));
    look.Take();
  }
}

// With the thread and without, in the middle of a look and between two.
TEST(WorkingAhead, TaskIsDoneOnceItIsAwaited) {
  WorkingAhead ahead;
  for (int round = 0; round < 200; ++round) {
    int done = 0;
    WorkingAhead::Task alone(ahead, [&] { ++done; });
    alone.Await();
    EXPECT_EQ(done, 1);
    WorkingAhead::Look look(ahead, 300,
                            [](std::size_t, std::vector<contract::RenderedRecord>&) { return contract::Decoded(); });
    look.Next();
    WorkingAhead::Task beside(ahead, [&] { ++done; });
    for (int i = 0; i < round; ++i) {
      look.Next();
      look.Take();
    }
    beside.Await();
    beside.Await();
    EXPECT_EQ(done, 2);
  }
}

}  // namespace
}  // namespace packhorse::delivery
