#include "queue/inspect/stored.h"

#include "queue_fixture.h"

namespace packhorse::queue {
namespace {

using namespace std::chrono_literals;

class StoredTest : public QueueTest {
 protected:
  StoredMessages Stored() {
    Result<StoredMessages> stored = StoredMessages::Open(dir_ / "queue.db");
    EXPECT_TRUE(stored) << stored.error().message;
    return *std::move(stored);
  }

  // Page by page to the end: "n1=payload ...".
  std::string All(const StoredFilter& filter, const PageBounds& bounds = {}) {
    StoredMessages stored = Stored();
    Result<StoredPlace> place = stored.First();
    EXPECT_TRUE(place) << place.error().message;
    std::string all;
    pages_ = 0;
    for (std::optional<StoredPlace> at = *place; at; ++pages_) {
      const Result<StoredPage> page = stored.Read(filter, *at, bounds);
      EXPECT_TRUE(page) << page.error().message;
      for (const auto& [lane, message] : page->messages) {
        all += std::string(1, Letter(lane)) + std::to_string(message.sequence) + "=" + message.message.payload + " ";
      }
      at = page->next;
      EXPECT_TRUE(!at || ParseStoredPlace(Format(*at)).has_value());
    }
    return all;
  }

  int pages_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Modes, StoredTest, ::testing::Values(Mode::kWindow, Mode::kStrict), NameOf);

TEST_P(StoredTest, AllLanesInOrder) {
  Append("a");
  Append("alarm", "alarms");
  Append("b");
  ExpectVerified();  // and with that in the database
  EXPECT_EQ(All({}), "u1=alarm n1=a n2=b ");
  EXPECT_EQ(pages_, 1);
  queue_.reset();
  EXPECT_EQ(All({}), "u1=alarm n1=a n2=b ") << "also without a daemon";
}

TEST_P(StoredTest, FiltersByStreamLaneAndTimeOfArrival) {
  const WallTime begin = clock_.Wall();
  Append("a");
  clock_.Advance(1s);
  Append("alarm", "alarms");
  Append("b");
  clock_.Advance(1s);
  Append("c");
  ExpectVerified();
  StoredFilter filter;
  filter.stream = "telemetry";
  EXPECT_EQ(All(filter), "n1=a n2=b n3=c ");
  filter = {};
  filter.lane = Lane::kUrgent;
  EXPECT_EQ(All(filter), "u1=alarm ");
  filter = {};
  filter.from = begin + 1s;
  filter.to = begin + 2s;
  EXPECT_EQ(All(filter), "u1=alarm n2=b ") << "the end is not included";
  filter.stream = "nothing";
  StoredMessages stored = Stored();
  EXPECT_EQ(stored.Read(filter, *stored.First(), {}).error().code, ErrorCode::kNotFound);
}

TEST_P(StoredTest, EveryBoundOfAPageGivesTheSameWhole) {
  for (int i = 0; i < 50; ++i) {
    Append("payload-" + std::to_string(i), i % 7 == 0 ? "alarms" : "telemetry");
    if (i % 20 == 19) {
      ExpectVerified();
    }
  }
  ExpectVerified();
  const std::string whole = All({});
  EXPECT_EQ(All({}, PageBounds{1, 1'000, 1'000'000}), whole);
  EXPECT_GE(pages_, 50);
  EXPECT_EQ(All({}, PageBounds{7, 1'000'000, 1'000'000}), whole);
  EXPECT_EQ(All({}, PageBounds{1'000, 1, 1'000'000}), whole);
  EXPECT_EQ(All({}, PageBounds{1'000, 1'000'000, 1}), whole);
  StoredFilter none;
  none.to = WallTime{} + 1s;
  EXPECT_EQ(All(none, PageBounds{1'000, 1'000'000, 1}), "");
  EXPECT_GE(pages_, 3) << "a page ends also when it has found nothing";
}

TEST_P(StoredTest, WhatArrivesDuringAnExportIsNotPartOfIt) {
  Append("a");
  Append("b");
  ExpectVerified();
  StoredMessages stored = Stored();
  const Result<StoredPage> first = stored.Read({}, *stored.First(), PageBounds{1, 1'000, 1'000});
  ASSERT_TRUE(first->next);
  Append("late");
  Append("alarm", "alarms");
  ExpectVerified();
  const Result<StoredPage> second = stored.Read({}, *first->next, {});
  ASSERT_EQ(second->messages.size(), 1U);
  EXPECT_EQ(second->messages[0].second.message.payload, "b");
  EXPECT_FALSE(second->next);
}

TEST(StoredPlaceText, GoesThereAndBackAndRefusesWhatItIsNot) {
  const StoredPlace place{Lane::kBulk, 12, {1, 2, 18'000'000'000}};
  EXPECT_EQ(Format(place), "b.12.1.2.18000000000");
  const std::optional<StoredPlace> back = ParseStoredPlace(Format(place));
  ASSERT_TRUE(back);
  EXPECT_EQ(Format(*back), Format(place));
  for (const char* wrong : {"", "b", "x.1.2.3.4", "b.1.2.3", "b.1.2.3.4.5", "b.1.2.3.-4",
                            "b.1.2.3.99999999999999999999", "b.1.2.3.4 ", "b..2.3.4"}) {
    EXPECT_FALSE(ParseStoredPlace(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace packhorse::queue
