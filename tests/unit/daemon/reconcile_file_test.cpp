#include "packhorsed/reconcile_file.h"

#include <gmock/gmock.h>

#include "app_fixture.h"
#include "base/file.h"
#include "bridge/reconciliation.h"

namespace packhorse::daemon {
namespace {

using namespace std::chrono_literals;
using reconcile::KeptRun;
using testing::IsEmpty;
using testing::SizeIs;

class ReconcileFileTest : public AppTest {
 protected:
  struct Comparing {
    explicit Comparing(App& app)
        : surroundings(*app.queue, *app.destinations, app.config),
          reconciler(surroundings, app.events, app.clock, 1),
          file(app, reconciler) {}
    bridge::ReconcileSurroundings surroundings;
    reconcile::Reconciler reconciler;
    ReconcileFile file;
  };

  std::string path_ = dir_ / "queue.db.reconcile";
};

TEST_F(ReconcileFileTest, WhatWasComparedIsKnownAfterARestart) {
  Comparing first(*app_);
  EXPECT_FALSE(Exists(path_));
  first.reconciler.Restore({{"cloud", KeptRun{clock_.Wall(), true, 17, "http://127.0.0.1:1", "gw-1"}}});
  first.file.Look();
  const auto kept = first.reconciler.kept();
  Comparing next(*app_);
  EXPECT_EQ(next.reconciler.kept(), kept);
}

TEST_F(ReconcileFileTest, ABrokenOneIsLeftOut) {
  for (const char* broken : {"", "{", "{}", R"({"destinations":[{"name":"cloud"}]})", R"({"destinations":[7]})"}) {
    test::WriteAll(path_, broken);
    EXPECT_THAT(Comparing(*app_).reconciler.kept(), IsEmpty()) << broken;
  }
}

TEST_F(ReconcileFileTest, NumbersThatMakeNoSenseHoldNothingUp) {
  test::WriteAll(path_, R"({"destinations":[{"name":"cloud","last_us":9223372036854775807,"differed":false,
    "since_hour":2147483647,"url":"http://127.0.0.1:1","gateway":"gw-1"}]})");
  Comparing comparing(*app_);
  comparing.reconciler.Step(clock_.Mono());
  EXPECT_EQ(comparing.reconciler.kept().at("cloud").since, queue::HourOf(clock_.Wall()) + 1);
}

TEST_F(ReconcileFileTest, TheConfigurationSaysWhatIsCompared) {
  Comparing comparing(*app_);
  const std::vector<reconcile::Target> targets = comparing.surroundings.Targets();
  ASSERT_THAT(targets, SizeIs(1));
  EXPECT_EQ(targets[0].name, "cloud");
  EXPECT_EQ(targets[0].gateway.gateway_id, "gw-1");
  EXPECT_EQ(targets[0].url, "http://127.0.0.1:1");
  EXPECT_EQ(targets[0].every, 24h);
  EXPECT_THAT(targets[0].replayable, IsEmpty());
  EXPECT_NE(targets[0].contract->reconcile(), nullptr);
}

}  // namespace
}  // namespace packhorse::daemon
