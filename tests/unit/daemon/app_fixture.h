#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "common/load.h"
#include "monitor/gaps.h"
#include "packhorsed/app.h"
#include "support/manual_clock.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace packhorse::daemon {

// The objects of a daemon as its configuration makes them, with a queue in a temporary folder; nothing is connected,
// and nothing is sent because nobody drives the uploads.
class AppTest : public ::testing::Test {
 protected:
  AppTest() {
    const std::string text = R"({"gateway":{"id":"gw-1"},
      "sources":[{"name":"plant","urls":["mqtt://127.0.0.1:1"],"client_id":"packhorse-test"}],
      "streams":[{"name":"telemetry","source":"plant","topics":["site/{site}/dev/{device}/+"],
                  "contract":"generic-json@1","destinations":["cloud"]}],
      "destinations":[{"name":"cloud","contract":"packhorse-ingest@1","url":"http://127.0.0.1:1"}],
      "queue":{"path":")" + (dir_ / "queue.db") +
                             R"(","runtime_dir":")" + (dir_ / "run") + R"("},
      "control":{"socket":")" +
                             (dir_ / "control.sock") + R"("}})";
    test::WriteAll(file_, text);
    Start();
  }

  void Start() {
    config::Loaded loaded = LoadConfiguration(file_);
    ASSERT_TRUE(loaded.ok()) << document::Describe(loaded.problems.front());
    Result<std::unique_ptr<App>> app = MakeApp(file_, std::move(loaded.config), *running_clock_);
    ASSERT_TRUE(app) << app.error().message;
    const Status opened = OpenQueue(**app);
    ASSERT_TRUE(opened) << opened.error().message;
    const Status assembled = Assemble(**app);
    ASSERT_TRUE(assembled) << assembled.error().message;
    app_ = *std::move(app);
  }

  void Stop() { app_.reset(); }

  monitor::Gaps MakeGaps() {
    return {*app_->queue, *running_clock_,
            [this](const std::string& name) { return app_->destinations->ContractOf(name); }};
  }

  Sequence Append(const std::string& payload) {
    RawMessage message;
    message.stream = *app_->queue->Stream("telemetry");
    message.topic = "site/a/dev/17/telemetry";
    message.payload = payload;
    message.received_at = clock_.Wall();
    const Result<Sequence> sequence = app_->queue->Append(std::move(message));
    EXPECT_TRUE(sequence) << sequence.error().message;
    return sequence.value_or(0);
  }

  test::TempDir dir_;
  std::string file_ = dir_ / "packhorse.json";
  test::ManualClock clock_;
  const Clock* running_clock_ = &clock_;  // what Start() gives the daemon
  std::unique_ptr<App> app_;
};

}  // namespace packhorse::daemon
