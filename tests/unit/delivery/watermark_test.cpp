// Receivers that keep only the highest sequence: what overtakes is flagged, and where nothing may, nothing does.

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "cloud_fixture.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;

class WatermarkTest : public CloudTest {
 protected:
  static Sequence SequenceOf(const Record& record) {
    constexpr std::string_view kSequence = "\"sequence\":";
    return std::stoull(record.text.substr(record.text.find(kSequence) + kSequence.size()));
  }
  static bool Flagged(const Record& record) { return record.Has("\"out_of_sequence\""); }
  // Which of the records of request `n` carry the flag, by their n.
  std::vector<int> FlaggedOf(std::size_t request) const {
    std::vector<int> flagged;
    for (const Record& record : RecordsOf(requests_.at(request))) {
      if (Flagged(record)) {
        flagged.push_back(record.n());
      }
    }
    return flagged;
  }
  // Takes what is above the highest sequence of the lane, says "accepted" to all of it, and forgets the rest; with
  // `minds_flags` it takes what is flagged too, unless it has its id.
  upload::Response TakeAbove(const Records& records, bool minds_flags = false) {
    Records fresh;
    for (const Record& record : records) {
      const bool known = stored_.contains(record.id);
      if (SequenceOf(record) > highest_ || (minds_flags && Flagged(record) && !known)) {
        fresh.push_back(record);
      }
    }
    Take(fresh);
    for (const Record& record : records) {
      highest_ = std::max(highest_, SequenceOf(record));
    }
    return Reply(200, "{\"accepted\":" + std::to_string(records.size()) + "}");
  }
  // Fails at number 5 until `mended_`.
  Script Poisoned(bool minds_flags) {
    return [this, minds_flags](const Records& records, const FakeUploader::Sent&) {
      const bool poison =
          std::any_of(records.begin(), records.end(), [](const Record& record) { return record.n() == 5; });
      return poison && !mended_ ? Reply(500, "Internal Server Error", "text/plain") : TakeAbove(records, minds_flags);
    };
  }
  void AppendSome(int count) {
    for (int i = 0; i < count; ++i) {
      Append(Payload(next_++));
    }
  }
  bool Stored(int n) const {
    return std::any_of(stored_.begin(), stored_.end(), [&](const auto& entry) {
      return entry.first.ends_with("." + std::to_string(n + 1));  // the numbers of the lane begin at 1
    });
  }

  Sequence highest_ = 0;
  bool mended_ = false;
  int next_ = 0;
};

TEST_F(WatermarkTest, RecordsThatWereNamedAndAreAcceptedTogetherContradictTheirRefusal) {
  keeps_order_ = true;
  Rebuild();
  AppendSome(3);
  bool named = false;
  const Script script = [&](const Records& records, const FakeUploader::Sent&) {
    return std::exchange(named, true)
               ? TakeAbove(records)
               : TakeSome(records, [&](const Record& record) { return record.id != records.front().id; });
  };
  EXPECT_TRUE(Play(script, 10min, [&] { return AllEnded(); }));
  ASSERT_EQ(RecordsOf(requests_.back()).size(), 2U);
  EXPECT_TRUE(IsOpen("api_contradicts_itself"));
}

TEST_F(WatermarkTest, ReceiverOfAWatermarkLosesNothingToAPoisonRecordThatIsMendedLater) {
  keeps_order_ = true;
  max_records_ = 4;
  Rebuild();
  AppendSome(20);
  Play(Poisoned(false), 2h);
  EXPECT_EQ(Suspects(), 0U) << "it holds its lane";
  EXPECT_TRUE(Stored(3));
  EXPECT_FALSE(Stored(6)) << "nothing goes before it";
  AppendSome(5);
  mended_ = true;
  EXPECT_TRUE(Play(Poisoned(false), 4h, [&] { return AllEnded(); }));
  EXPECT_EQ(stored_.size(), 25U);
  EXPECT_EQ(Dead(), 0U);
  for (std::size_t i = 0; i < requests_.size(); ++i) {
    EXPECT_EQ(FlaggedOf(i), std::vector<int>()) << "request " << i;
  }
}

TEST_F(WatermarkTest, ReceiverThatMindsTheFlagLosesNothingEither) {
  max_records_ = 4;
  Rebuild();
  AppendSome(20);
  Play(Poisoned(true), 2h);
  EXPECT_EQ(Suspects(), 1U);
  EXPECT_EQ(stored_.size(), 19U);
  mended_ = true;
  EXPECT_TRUE(Play(Poisoned(true), 24h, [&] { return AllEnded(); }));
  EXPECT_EQ(stored_.size(), 20U);
  EXPECT_EQ(FlaggedOf(requests_.size() - 1), (std::vector<int>{5}));
  EXPECT_EQ(FlaggedOf(0), std::vector<int>());
}

TEST_F(WatermarkTest, RemainderOfAPartialSuccessIsFlaggedWhenLaterOnesWentBefore) {
  AppendSome(3);
  bool first = true;
  const Script script = [&](const Records& records, const FakeUploader::Sent&) {
    if (std::exchange(first, false)) {
      return Reply(207, "{\"accepted\":2,\"rejected\":[],\"retry\":[\"" + records[1].id + "\"]}");
    }
    return Take(records);
  };
  EXPECT_TRUE(Play(script, 1h, [&] { return AllEnded(); }));
  EXPECT_EQ(FlaggedOf(0), std::vector<int>());
  EXPECT_EQ(FlaggedOf(requests_.size() - 1), (std::vector<int>{1}));
}

TEST_F(WatermarkTest, BacklogBesideWhatIsNewIsFlaggedOnceSomethingNewWent) {
  live_first_ = true;
  max_records_ = 2;
  Rebuild();
  AppendSome(40);
  const Script away = [](const Records&, const FakeUploader::Sent&) { return Reply(503, "", "text/plain"); };
  Play(away, 20min);
  const Script back = [this](const Records& records, const FakeUploader::Sent&) { return Take(records); };
  bool came = false;
  EXPECT_TRUE(Play(back, 24h, [&] {
    if (!came && stored_.size() > 6) {  // the outage is over: what comes is live
      came = true;
      AppendSome(2);
    }
    return came && AllEnded();
  }));
  EXPECT_EQ(stored_.size(), 42U);
  std::set<int> flagged;
  for (std::size_t i = 0; i < requests_.size(); ++i) {
    for (const int n : FlaggedOf(i)) {
      flagged.insert(n);
    }
  }
  EXPECT_FALSE(flagged.empty());
  EXPECT_FALSE(flagged.contains(40)) << "nothing later went before it";
  EXPECT_FALSE(flagged.contains(41));
}

TEST_F(WatermarkTest, MessageThatIsContinuedInTheNextRequestIsFlaggedThere) {
  max_records_ = 2;
  Rebuild();
  Append(R"([{"n":0},{"n":1},{"n":2},{"n":3},{"n":4}])");
  const Script script = [this](const Records& records, const FakeUploader::Sent&) { return TakeAbove(records, true); };
  EXPECT_TRUE(Play(script, 1h, [&] { return AllEnded(); }));
  EXPECT_EQ(stored_.size(), 5U);
  ASSERT_EQ(requests_.size(), 3U);
  EXPECT_EQ(FlaggedOf(0), std::vector<int>());
  EXPECT_EQ(FlaggedOf(1), (std::vector<int>{2, 3}));
  EXPECT_EQ(FlaggedOf(2), (std::vector<int>{4}));
}

TEST_F(WatermarkTest, ReplaysAndRetriesOnRequestAreRefusedWhereNothingMayOvertake) {
  keeps_order_ = true;
  Rebuild();
  queue::DeadLetter letter;
  letter.destination = "cloud";
  std::optional<Result<std::uint32_t>> replayed;
  destination_->RedriveDead({letter}, [&](Result<std::uint32_t> records) { replayed = std::move(records); });
  ASSERT_TRUE(replayed);
  EXPECT_EQ(replayed->error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(replayed->error().message.find("watermark"), std::string::npos);
  std::optional<Status> retried;
  destination_->RetrySuspect(1, [&](const Status& status) { retried = status; });
  ASSERT_TRUE(retried);
  EXPECT_EQ(retried->error().code, ErrorCode::kInvalidArgument);
}

TEST_F(WatermarkTest, SuspectIsTriedAtOnceOnRequest) {
  max_records_ = 4;
  Rebuild();
  AppendSome(20);
  Play(Poisoned(true), 2h, [&] { return Suspects() == 1 && Now().in_flight == 0; });
  ASSERT_EQ(Suspects(), 1U);
  mended_ = true;
  std::optional<Status> retried;
  const std::int64_t id = queue_->Suspects("cloud", 1, 0)->front().id;
  destination_->RetrySuspect(id, [&](const Status& status) { retried = status; });
  EXPECT_TRUE(Play(Poisoned(true), 1min, [&] { return Suspects() == 0; }));
  ASSERT_TRUE(retried);
  EXPECT_TRUE(*retried) << retried->error().message;
  destination_->RetrySuspect(id, [&](const Status& status) { retried = status; });
  EXPECT_EQ(retried->error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace packhorse::delivery
