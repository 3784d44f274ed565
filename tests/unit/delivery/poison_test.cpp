// Records at which an API fails for itself alone: whatever it answers, wherever they stand and however many there are,
// they end as suspects and hold nothing up.

#include <gtest/gtest.h>

#include "cloud_fixture.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;

class PoisonTest : public CloudTest {
 protected:
  static bool Bad(const Record& record) { return record.Has("\"bad\""); }
  Script AnswersBadWith(std::function<upload::Response()> answer) {
    return [this, answer = std::move(answer)](const Records& records, const FakeUploader::Sent&) {
      return std::any_of(records.begin(), records.end(), Bad) ? answer() : Take(records);
    };
  }
  void AppendAll(int count, const std::function<bool(int)>& bad) {
    for (int i = 0; i < count; ++i, ++next_) {
      const bool is_bad = bad(i);
      good_ += is_bad ? 0 : 1;
      Append(Payload(next_, is_bad ? R"(,"bad":1)" : ""));
    }
  }
  // Lets the script answer until all that is good is stored; a good message comes every five seconds where there is
  // `traffic`.
  bool GoodIsStored(const Script& script, std::chrono::microseconds most, bool traffic) {
    MonoTime last = clock_.Mono();
    return Play(script, most, [&] {
      if (traffic && stored_.size() < good_ && clock_.Mono() - last >= 5s) {
        last = clock_.Mono();
        AppendAll(1, [](int) { return false; });
      }
      return stored_.size() >= good_;
    });
  }
  void MendAndClear() {
    ASSERT_TRUE(Play([this](const Records& records, const FakeUploader::Sent&) { return Take(records); }, 3h,
                     [&] { return AllEnded(); }));
    stored_.clear();
    good_ = 0;
  }
  static upload::Response Waits(int status, const char* seconds) {
    upload::Response response = Reply(status);
    if (seconds != nullptr) {
      response.headers.emplace_back("retry-after", seconds);
    }
    return response;
  }

  int next_ = 0;
  std::size_t good_ = 0;
};

TEST_F(PoisonTest, SeveralInOneBatchAreFoundAlsoWhereEveryPartOfItHasOne) {
  for (const int status : {500, 502, 403, 404}) {
    for (const bool traffic : {true, false}) {
      AppendAll(100, [](int i) { return i == 10 || i == 40 || i == 60 || i == 90; });
      EXPECT_TRUE(GoodIsStored(AnswersBadWith([&] { return Reply(status); }), 20min, traffic)) << status << traffic;
      EXPECT_TRUE(Play(AnswersBadWith([&] { return Reply(status); }), 20min, [&] { return Suspects() == 4; }));
      EXPECT_EQ(Dead(), 0U);
      MendAndClear();
    }
  }
}

TEST_F(PoisonTest, NewestOfAllMayBeOneOfThemToo) {
  max_records_ = 100;
  Rebuild();
  bool held = false;
  AppendAll(1'000, [](int i) { return i % 20 == 7 || i == 999; });
  Play(AnswersBadWith([] { return Reply(403); }), 3min, [&] {
    held = held || IsOpen("destination_held");
    return stored_.size() > 100;
  });
  EXPECT_FALSE(held);
}

TEST_F(PoisonTest, SlowSearchIsToldOnceAMinuteWithTheShare) {
  max_records_ = 500;
  Rebuild();
  AppendAll(3'000, [](int i) { return i % 10 == 7; });
  std::set<std::uint64_t> told;
  Play(AnswersBadWith([] { return Reply(500); }), 10min, [&] {
    for (const auto& event : events_.Open()) {
      if (event.name == "records_refused") {
        told.insert(event.id);
        EXPECT_GT(Now().share_refused, 0.0);
      }
    }
    return false;
  });
  EXPECT_EQ(told.size(), 1U);
}

TEST_F(PoisonTest, EverySecondOneStopsNothingAlsoWhereNothingElseComes) {
  for (const int status : {500, 403}) {
    AppendAll(60, [](int i) { return i % 2 == 0; });
    EXPECT_TRUE(GoodIsStored(AnswersBadWith([&] { return Reply(status); }), 15min, false)) << status;
    MendAndClear();
  }
}

TEST_F(PoisonTest, OneInEveryBatchStopsNothing) {
  for (const int status : {500, 403}) {
    AppendAll(1'000, [](int i) { return i % 20 == 7; });
    EXPECT_TRUE(Play(AnswersBadWith([&] { return Reply(status); }), 5min, [&] { return stored_.size() >= 400; }))
        << status << " " << stored_.size();
    EXPECT_TRUE(GoodIsStored(AnswersBadWith([&] { return Reply(status); }), 30min, true)) << status;
    EXPECT_EQ(Dead(), 0U);
    MendAndClear();
  }
}

TEST_F(PoisonTest, RowOfThemIsPassedWhereEachRequestHasOneRecord) {
  max_records_ = 1;
  Rebuild();
  for (const int status : {500, 403}) {
    AppendAll(40, [](int i) { return i < 12; });
    EXPECT_TRUE(GoodIsStored(AnswersBadWith([&] { return Reply(status); }), 20min, true)) << status;
    EXPECT_TRUE(Play(AnswersBadWith([&] { return Reply(status); }), 20min, [&] { return Suspects() == 12; })) << status;
    MendAndClear();
  }
}

TEST_F(PoisonTest, OneThatWaitedAloneForHoursHoldsUpWhatComesForAMinuteOrTwo) {
  const Script script = AnswersBadWith([] { return Reply(500); });
  AppendAll(1, [](int) { return true; });
  Play(script, 5h);
  AppendAll(1, [](int) { return false; });
  EXPECT_TRUE(GoodIsStored(script, 2min, false));
}

TEST_F(PoisonTest, BatchThatIsAllThereIsIsSearchedAfterAFewTries) {
  AppendAll(100, [](int i) { return i == 40; });
  EXPECT_TRUE(GoodIsStored(AnswersBadWith([] { return Reply(500); }), 5min, false));
  EXPECT_TRUE(Play(AnswersBadWith([] { return Reply(500); }), 5min, [&] { return Suspects() == 1; }));
}

TEST_F(PoisonTest, BatchesThatAreAllThereIsAndAllHaveOneAreSearched) {
  max_records_ = 70;
  Rebuild();
  AppendAll(100, [](int i) { return i == 40 || i == 90; });
  EXPECT_TRUE(GoodIsStored(AnswersBadWith([] { return Reply(500); }), 6min, false)) << stored_.size();
}

TEST_F(PoisonTest, OneThatIsToldToWaitForEverWhileOthersPassIsSetAside) {
  for (const auto& [status, seconds] :
       {std::pair{503, "2"}, std::pair{429, "2"}, std::pair{429, (const char*)nullptr}}) {
    const Script script = AnswersBadWith([status = status, seconds = seconds] { return Waits(status, seconds); });
    AppendAll(100, [](int i) { return i == 40; });
    EXPECT_TRUE(GoodIsStored(script, 30min, true)) << status;
    EXPECT_TRUE(Play(script, 30min, [&] { return Suspects() == 1; })) << status;
    EXPECT_EQ(Dead(), 0U);
    MendAndClear();
  }
}

TEST_F(PoisonTest, BackendThatAnswersSoToEverythingIsLeftForAnother) {
  for (const int status : {409, 404, 403, 422}) {
    const std::uint64_t bad = ++connection_;
    AppendAll(250, [](int) { return false; });
    const Script script = [&](const Records& records, const FakeUploader::Sent&) {
      return connection_ == bad ? Reply(status) : Take(records);
    };
    EXPECT_TRUE(GoodIsStored(script, 1min, false)) << status;
    EXPECT_FALSE(IsOpen("destination_held"));
    EXPECT_LE(Suspects(), 1U);
    MendAndClear();
  }
}

TEST_F(PoisonTest, OrdinaryThrottlingSplitsAndSetsAsideNothing) {
  max_records_ = 10;
  Rebuild();
  int count = 0;
  const Script script = [&](const Records& records, const FakeUploader::Sent&) {
    return ++count % 3 == 0 ? Take(records) : Reply(429);
  };
  AppendAll(1'000, [](int) { return false; });
  EXPECT_TRUE(Play(script, 10h, [&] { return AllEnded(); }));
  EXPECT_EQ(stored_.size(), 1'000U);
  EXPECT_EQ(Now().possible_duplicates, 0U);
}

TEST_F(PoisonTest, HeldForADayItAsksSeldomWhateverWaits) {
  hop_ = 10min;
  for (const int status : {403, 422}) {
    for (const int count : {1, 2, 3, 5, 11, 30, 61, 99, 250}) {
      Rebuild();  // so that nothing contradicts what was before
      AppendAll(count, [](int) { return false; });
      requests_.clear();
      Play([&](const Records&, const FakeUploader::Sent&) { return Reply(status); }, 24h);
      EXPECT_LT(requests_.size(), 300U) << status << " " << count;
      EXPECT_EQ(Dead(), 0U);
      MendAndClear();
    }
  }
}

TEST_F(PoisonTest, OutageCostsFewRequestsAndFewSplits) {
  for (const int status : {500, 403}) {
    requests_.clear();
    AppendAll(1'000, [](int) { return false; });
    const std::uint64_t duplicates = Now().possible_duplicates;
    Play([&](const Records&, const FakeUploader::Sent&) { return Reply(status); }, 6h);
    EXPECT_LT(requests_.size(), status == 500 ? 1'000U : 60U) << status;
    EXPECT_LE(Now().possible_duplicates - duplicates, 16U) << status;
    EXPECT_EQ(Suspects(), 0U);
    EXPECT_TRUE(GoodIsStored(AnswersBadWith([] { return Reply(500); }), 1h, false));
    ASSERT_TRUE(Play(AnswersBadWith([] { return Reply(500); }), 1h, [&] { return AllEnded(); }));
    stored_.clear();
    good_ = 0;
  }
}

TEST_F(PoisonTest, WhatIsSetAsideIsPendingAndNoBacklog) {
  const Script script = AnswersBadWith([] { return Refuse(); });
  AppendAll(100, [](int i) { return i == 40; });
  ASSERT_TRUE(Play(script, 30min, [&] { return Suspects() == 1 && stored_.size() == good_; }));
  clock_.Advance(10min);
  EXPECT_EQ(Now().pending, 1U);
  EXPECT_EQ(Now().backlog, 0U);
  EXPECT_FALSE(Now().backlog_eta);
}

TEST_F(PoisonTest, OfTenRequestsThatThePaceAdmitsOneAtMostIsASuspects) {
  std::vector<bool> bad;
  const Script script = [&](const Records& records, const FakeUploader::Sent&) {
    bad.push_back(std::any_of(records.begin(), records.end(), Bad));
    return bad.back() ? Refuse() : Take(records);
  };
  AppendAll(100, [](int i) { return i % 25 == 15; });
  ASSERT_TRUE(Play(script, 30min, [&] { return Suspects() == 4 && stored_.size() == good_; }));
  const std::unique_ptr<Destination> old = std::move(destination_);
  max_records_ = 1;
  limits_ = {{limit::Window::Unit::kRequests, 1, 60s}};
  Rebuild();
  destination_->TakeOver(*old);
  bad.clear();
  AppendAll(200, [](int) { return false; });
  Play(script, 60min, [&] {
    for (const queue::Suspect& suspect : *queue_->Suspects("cloud", 10, 0)) {
      destination_->RetrySuspect(suspect.id, [](const Status&) {});  // as soon as it may
    }
    return false;
  });
  ASSERT_GE(bad.size(), 50U);
  std::size_t others = 9;  // the first may go at once
  std::size_t tried = 0;
  for (const bool is_bad : bad) {
    EXPECT_TRUE(!is_bad || others >= 9) << "after " << others << " others";
    tried += is_bad ? 1 : 0;
    others = is_bad ? 0 : others + 1;
  }
  EXPECT_GE(tried, 4U);
}

}  // namespace
}  // namespace packhorse::delivery
