// Many records under clouds that contradict themselves, refuse much or change: nothing good is given up, and everything
// ends.

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "cloud_fixture.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;

class WorldTest : public CloudTest {
 protected:
  bool Bad(const Record& record) const { return bad_.contains(record.n()); }
  bool AnyBad(const Records& records) const {
    return std::any_of(records.begin(), records.end(), [this](const Record& record) { return Bad(record); });
  }
  // Every record that it likes is taken, every batch with one that it does not like is refused as a whole.
  Script Honest() {
    return [this](const Records& records, const FakeUploader::Sent&) {
      return AnyBad(records) ? Refuse() : Take(records);
    };
  }
  bool Chance(double of) { return std::uniform_real_distribution<double>(0, 1)(random_) < of; }
  void AppendNext(double bad_share) {
    if (Chance(bad_share)) {
      bad_.insert(next_);
    }
    Append(Payload(next_++));
  }
  void AppendMany(int count, double bad_share) {
    for (int i = 0; i < count; ++i) {
      AppendNext(bad_share);
    }
  }
  // One message every `apart`, `count` of them, and then until `most` later or everything has ended.
  bool Arrive(const Script& script, int count, double bad_share, std::chrono::microseconds apart,
              std::chrono::microseconds most) {
    MonoTime due = clock_.Mono();
    return Play(script, apart * count + most, [&] {
      for (; count > 0 && due <= clock_.Mono(); --count, due += apart) {
        AppendNext(bad_share);
      }
      return count == 0 && AllEnded();
    });
  }
  // Good messages go on coming, now and then, until everything has ended.
  bool Finish(const Script& script, std::chrono::microseconds most) {
    MonoTime last{};
    return Play(script, most, [&] {
      if (clock_.Mono() - last > 10min && !AllEnded()) {
        last = clock_.Mono();
        AppendNext(0);
      }
      return AllEnded();
    });
  }
  // Dead letters that the script did not mark bad.
  int GoodBuried() {
    int good = 0;
    const Result<std::vector<queue::DeadLetter>> letters = queue_->DeadLetters(20'000, 0);
    EXPECT_TRUE(letters) << letters.error().message;
    for (const queue::DeadLetter& letter : letters.value_or(std::vector<queue::DeadLetter>())) {
      good += bad_.contains(std::stoi(letter.message.payload.substr(5))) ? 0 : 1;
    }
    return good;
  }
  void ExpectEverythingEndedRight() {
    EXPECT_EQ(GoodBuried(), 0);
    EXPECT_EQ(Dead(), bad_.size());
    EXPECT_EQ(stored_.size() + bad_.size(), static_cast<std::size_t>(next_));
    EXPECT_EQ(Now().pending, 0U) << Suspects() << " suspects; " << Now().reason;
    EXPECT_TRUE(queue_->VerifyLedger()->empty());
  }

  std::mt19937 random_{20'261'129};
  std::set<int> bad_;
  int next_ = 0;
};

TEST_F(WorldTest, BrokenBackendBesideAGoodOneBuriesNothingGood) {
  max_records_ = 10;
  Rebuild();
  AppendMany(10'000, 0);
  const Script script = [&](const Records& records, const FakeUploader::Sent&) {
    return Chance(0.5) ? Refuse(400) : Take(records);
  };
  EXPECT_TRUE(Play(script, 72h, [&] { return AllEnded(); }));
  ExpectEverythingEndedRight();
  EXPECT_TRUE(IsOpen("api_contradicts_itself"));
}

TEST_F(WorldTest, BrokenBackendThatGetsOneRecordARequestBuriesNothingGood) {
  max_records_ = 1;
  Rebuild();
  AppendMany(1'500, 0);
  const Script script = [&](const Records& records, const FakeUploader::Sent&) {
    return Chance(0.5) ? Refuse(400) : Take(records);
  };
  EXPECT_TRUE(Play(script, 72h, [&] { return AllEnded(); }));
  ExpectEverythingEndedRight();
}

TEST_F(WorldTest, BrokenBackendThatNamesWhatItRefusesBuriesNothingGood) {
  max_records_ = 100;
  Rebuild();
  AppendMany(10'000, 0);
  const Script script = [&](const Records& records, const FakeUploader::Sent&) {
    const bool broken = Chance(0.5);
    return TakeSome(records, [&](const Record&) { return broken && Chance(0.1); });
  };
  EXPECT_TRUE(Play(script, 72h, [&] { return AllEnded(); }));
  ExpectEverythingEndedRight();
}

// What it names goes again together with what is behind it: nothing may overtake.
TEST_F(WorldTest, BrokenBackendThatNamesAllButOneBuriesNothingGoodWhereNothingMayOvertake) {
  keeps_order_ = true;
  max_records_ = 20;
  Rebuild();
  AppendMany(2'000, 0);
  const Script script = [&](const Records& records, const FakeUploader::Sent&) {
    const bool broken = Chance(0.5);
    return TakeSome(records, [&](const Record& record) { return broken && record.id != records.front().id; });
  };
  EXPECT_TRUE(Play(script, 72h, [&] { return AllEnded(); }));
  ExpectEverythingEndedRight();
  EXPECT_TRUE(IsOpen("api_contradicts_itself"));
}

TEST_F(WorldTest, OneAnHour) {
  hop_ = 10min;
  for (const double share : {0.01, 0.3}) {
    Arrive(Honest(), 200, share, 1h, 1h);
    EXPECT_TRUE(Finish(Honest(), 48h)) << share;
    ExpectEverythingEndedRight();
  }
}

TEST_F(WorldTest, OneAnHourAndAllOfThemBadHoldsUntilItIsMended) {
  hop_ = 10min;
  EXPECT_FALSE(Arrive(Honest(), 48, 1, 1h, 1h));
  EXPECT_EQ(Dead(), 0U);
  EXPECT_EQ(Now().state, limit::CircuitState::kHeld);
  EXPECT_LE(Suspects(), 4U);
  bad_.clear();
  EXPECT_TRUE(Play(Honest(), 4h, [&] { return AllEnded(); }));
  ExpectEverythingEndedRight();
}

TEST_F(WorldTest, ThousandASecond) {
  max_records_ = 500;
  Rebuild();
  EXPECT_TRUE(Arrive(Honest(), 5'000, 0.01, 1ms, 24h));
  ExpectEverythingEndedRight();
}

TEST_F(WorldTest, ThousandASecondAndAThirdOfThemBadSlowsDownAndSaysSo) {
  max_records_ = 500;
  Rebuild();
  bool told = false;
  double share = 0;
  std::uint64_t most = 0;
  EXPECT_FALSE(Arrive(Honest(), 3'000, 0.3, 1ms, 20min));
  told = IsOpen("records_refused");
  share = Now().share_refused;
  const Script watched = [&, honest = Honest()](const Records& records, const FakeUploader::Sent& sent) {
    most = std::max(most, Suspects());
    return honest(records, sent);
  };
  EXPECT_TRUE(Finish(watched, 72h));
  EXPECT_TRUE(told);
  EXPECT_GT(share, 0.2);
  EXPECT_LE(most, 1'000U);
  ExpectEverythingEndedRight();
}

TEST_F(WorldTest, ThousandASecondAndAllOfThemBadHolds) {
  max_records_ = 500;
  Rebuild();
  EXPECT_FALSE(Arrive(Honest(), 3'000, 1, 1ms, 30min));
  EXPECT_EQ(Now().state, limit::CircuitState::kHeld);
  EXPECT_EQ(Dead(), 0U);
  EXPECT_LT(requests_.size(), 100U);
  bad_.clear();
  EXPECT_TRUE(Play(Honest(), 4h, [&] { return AllEnded(); }));
  ExpectEverythingEndedRight();
}

TEST_F(WorldTest, AtTheLimitOfSuspectsTheDestinationIsHeldAndGoesOnAsTheyEnd) {
  max_records_ = 500;
  Rebuild();
  AppendMany(1'600, 0.75);
  bool full = false;
  std::uint64_t most = 0;
  const Script names = [&](const Records& records, const FakeUploader::Sent&) {
    most = std::max(most, Suspects());
    full = full || IsOpen("suspects_full");
    return TakeSome(records, [&](const Record& record) { return Bad(record); });
  };
  EXPECT_TRUE(Finish(names, 72h));
  EXPECT_LE(most, 1'000U);
  EXPECT_TRUE(full);
  EXPECT_FALSE(IsOpen("suspects_full"));
  ExpectEverythingEndedRight();
}

// A cloud that changes its behaviour at random, and is honest at last.
class RandomCloud : public WorldTest, public ::testing::WithParamInterface<int> {
 protected:
  upload::Response Behave(int how, const Records& records) {
    switch (how) {
      case 0:
        return Refuse(std::vector{500, 502, 503, 409, 403, 404, 400, 422, 413}[random_() % 9]);
      case 1:
        return Broken(Chance(0.5) ? upload::Transport::kTimeout : upload::Transport::kConnect);
      case 2:
        return records.size() > 7 ? Reply(413, "", "text/html") : Answer(records);
      case 3:
        return Chance(0.5) ? Refuse(400) : Answer(records);
      case 4:
        return Chance(0.5) ? Refuse(500) : Answer(records);
      case 5:
        return Reply(200, "<html>log in</html>", "text/html");
      case 6:
        return TakeSome(records, [&](const Record& record) { return Bad(record); });
      case 7:
        return Chance(0.3) ? Broken(upload::Transport::kReset) : Answer(records);
      default:
        return Answer(records);
    }
  }
  upload::Response Answer(const Records& records) { return AnyBad(records) ? Refuse() : Take(records); }
};

TEST_P(RandomCloud, NothingGoodIsBuriedAndEverythingEnds) {
  random_.seed(static_cast<unsigned>(GetParam()));
  max_records_ = std::vector{1U, 5U, 50U}[random_() % 3];
  hop_ = 1min;
  Rebuild();
  for (int phase = 0; phase < 12; ++phase) {
    const int how = static_cast<int>(random_() % 10);
    const int all = static_cast<int>(random_() % 9);
    AppendMany(static_cast<int>(random_() % 30), 0.03);
    Play(
        [&](const Records& records, const FakeUploader::Sent&) {
          if (how == 0) {
            return Refuse(std::vector{500, 502, 503, 409, 403, 404, 400, 422, 413}[static_cast<std::size_t>(all)]);
          }
          return Behave(how, records);
        },
        std::chrono::minutes(1 + random_() % 30));
    if (random_() % 6 == 0) {
      Restart();
    }
  }
  EXPECT_TRUE(Finish(Honest(), 200h));
  ExpectEverythingEndedRight();
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomCloud, ::testing::Range(1, 11));

}  // namespace
}  // namespace packhorse::delivery
