#include "packhorsed/sending_file.h"

#include <gmock/gmock.h>

#include "app_fixture.h"
#include "base/file.h"

namespace packhorse::daemon {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class SendingFileTest : public AppTest {
 protected:
  SendingFileTest() {
    Result<std::string> text = ReadFile(file_, 1U << 20U);
    const std::string url = "\"url\":\"http://127.0.0.1:1\"";
    text->insert(text->find(url) + url.size(), ",\"budget\":{\"bytes\":\"1MiB\",\"per\":\"month\"}");
    Stop();
    test::WriteAll(file_, *text);
    Start();
    Cloud().Step(clock_.Mono());
  }

  delivery::Destination& Cloud() { return *app_->destinations->Find("cloud")->destination; }
  std::uint64_t Used() { return Cloud().Snapshot(clock_.Mono()).budget->used; }
  // As an earlier run has left it.
  void Use(std::uint64_t bytes) {
    delivery::Kept kept = Cloud().ToKeep();
    kept.pacing.budget->used = bytes;
    kept.records = {40, 80};
    kept.in_flight.refused_above = 3;
    Cloud().Restore(kept);
    Cloud().Step(clock_.Mono());
  }
  std::string Written() { return ReadFile(path_, 1U << 20U).value_or(""); }

  std::string path_ = dir_ / "queue.db.sending";
};

TEST_F(SendingFileTest, WhatWasUsedAndLearntIsKnownAfterARestart) {
  Use(700'000);
  SendingFile(*app_).Look(clock_.Mono(), true);
  EXPECT_FALSE(Exists(path_)) << "nothing has changed since this object was made";
  SendingFile file(*app_);
  Use(700'001);
  delivery::Kept learnt = Cloud().ToKeep();
  learnt.pacing.rate.per_second = 2.5;
  Cloud().Restore(learnt);
  file.Look(clock_.Mono(), true);
  Stop();
  Start();
  Cloud().Step(clock_.Mono());
  EXPECT_EQ(Used(), 700'001U);
  EXPECT_EQ(Cloud().Snapshot(clock_.Mono()).learnt_max_records, 40U);
  EXPECT_EQ(Cloud().Snapshot(clock_.Mono()).learnt_requests_per_second, 2.5);
  EXPECT_EQ(Cloud().Snapshot(clock_.Mono()).learnt_in_flight, 3U);
}

TEST_F(SendingFileTest, AnnouncedLimitIsKeptAndItsWindowEndsByTheClock) {
  using Unit = limit::Window::Unit;
  SendingFile file(*app_);
  delivery::Kept kept = Cloud().ToKeep();
  kept.pacing.announced = {{"burst", Unit::kBytes, 1'000'000, 60s, 500, 40s},
                           {"day", Unit::kRequests, 5'000, 24h, {}, {}},
                           {"c", Unit::kRequests, 4, {}, {}, {}, true}};
  Cloud().Restore(kept);
  clock_.Advance(1min);
  kept.pacing.announced.front().left.reset();
  kept.pacing.announced.front().resets.reset();
  file.Look(clock_.Mono(), false);
  EXPECT_THAT(Written(), HasSubstr("\"burst\""));
  Stop();
  Start();
  EXPECT_EQ(Cloud().ToKeep().pacing.announced, kept.pacing.announced);
}

TEST_F(SendingFileTest, IsWrittenSeldom) {
  SendingFile file(*app_);
  Use(20'000);
  file.Look(clock_.Mono(), false);
  EXPECT_FALSE(Exists(path_)) << "at most once a minute";
  clock_.Advance(1min);
  file.Look(clock_.Mono(), false);
  EXPECT_THAT(Written(), HasSubstr("\"used\":20000"));
  Use(20'500);
  clock_.Advance(1min);
  file.Look(clock_.Mono(), false);
  EXPECT_THAT(Written(), HasSubstr("\"used\":20000")) << "less than a hundredth of the budget";
  clock_.Advance(9min);
  file.Look(clock_.Mono(), false);
  EXPECT_THAT(Written(), HasSubstr("\"used\":20500"));
}

TEST_F(SendingFileTest, ABrokenOneIsLeftOut) {
  for (const char* broken : {"", "{", "{}", R"({"destinations":[{"name":"cloud"}]})",
                             R"({"destinations":[{"name":1,"records":{},"bytes":{}}]})"}) {
    test::WriteAll(path_, broken);
    Stop();
    Start();
    Cloud().Step(clock_.Mono());
    EXPECT_EQ(Used(), 0U) << broken;
  }
}

TEST_F(SendingFileTest, NumbersThatMakeNoSenseAreBroughtIntoBounds) {
  test::WriteAll(path_, R"({"destinations":[{"name":"cloud","records":{"limit":1,"too_much":0},
    "bytes":{"limit":0,"too_much":9},"budget":{"begin_us":9223372036854775807,"used":18446744073709551615}},
    {"name":"gone","records":{"limit":0,"too_much":0},"bytes":{"limit":0,"too_much":0}}]})");
  Stop();
  Start();
  Cloud().Step(clock_.Mono());
  EXPECT_TRUE(Cloud().Snapshot(clock_.Mono()).budget.has_value());
}

TEST_F(SendingFileTest, WhereARolloutStandsIsWrittenAtOnce) {
  Result<std::string> text = ReadFile(file_, 1U << 20U);
  const std::string url = "\"url\":\"http://127.0.0.1:1\"";
  text->insert(text->find(url) + url.size(),
               R"(,"contract":"packhorse-ingest@1.0","rollout":{"contract":"packhorse-ingest@1.1"})");
  const std::size_t before = text->find(R"("contract":"packhorse-ingest@1",)");
  if (before != std::string::npos) {
    text->erase(before, std::string(R"("contract":"packhorse-ingest@1",)").size());
  }
  Stop();
  test::WriteAll(file_, *text);
  Start();
  SendingFile file(*app_);
  Cloud().Step(clock_.Mono());
  clock_.Advance(1s);
  file.Look(clock_.Mono(), false);
  EXPECT_FALSE(Exists(path_)) << "it has not moved";
  ASSERT_TRUE(Cloud().ChangeRollout(delivery::RolloutAction::kAdvance, clock_.Mono()));
  ASSERT_TRUE(Cloud().ChangeRollout(delivery::RolloutAction::kPause, clock_.Mono()));
  const delivery::Rollout::Kept kept = *Cloud().ToKeep().rollout;
  file.Look(clock_.Mono(), false);
  Stop();
  Start();
  Cloud().Step(clock_.Mono());
  EXPECT_EQ(*Cloud().ToKeep().rollout, kept);
}

}  // namespace
}  // namespace packhorse::daemon
