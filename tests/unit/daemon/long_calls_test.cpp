
#include <gmock/gmock.h>

#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "app_fixture.h"
#include "commands_fixture.h"
#include "common/queue_json.h"
#include "packhorsed/answers.h"
#include "queue/sqlite/database.h"

namespace packhorse::daemon {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::Contains;
using testing::HasSubstr;

class LongCallsTest : public AppTest {
 protected:
  // One iteration of the loop as far as these calls need it.
  void Iterate(MonoTime now) {
    app_->queue->Poll();
    bridge::LongCalls::Ready ready;
    calls_.Step(now, ready);
    for (auto& [connection, answer] : ready) {
      EXPECT_TRUE(answer) << answer.error().message;
      answers_[connection] = json::parse(answer.value_or("null"));
    }
  }
  json Await(std::uint64_t connection) {
    EXPECT_TRUE(test::WaitFor([&] {
      Iterate(clock_.Mono());
      return answers_.count(connection) > 0;
    }));
    return answers_[connection];
  }

  void Flush() {
    const auto answer = [](const bridge::FlushOutcome& outcome) { return control::Answer(FlushJson(outcome)); };
    calls_.Flush(1, {"cloud"}, 30s, answer, clock_.Mono());
  }

  bridge::LongCalls calls_{*app_->queue, *app_->destinations, app_->config.queue.path};
  std::map<std::uint64_t, json> answers_;
};

TEST_F(LongCallsTest, FlushOfAnEmptyQueueIsDoneAtOnce) {
  Flush();
  const json answer = Await(1);
  EXPECT_EQ(answer["complete"], true) << answer;
  EXPECT_EQ(answer["folded"], true);
  EXPECT_EQ(answer["destinations"][0]["complete"], true);
}

TEST_F(LongCallsTest, FlushSaysAfterItsTimeoutWhatIsStillPending) {
  Append(R"({"a":1})");
  Append(R"({"a":2})");
  Flush();
  calls_.AfterCheckpoint(
      2, [](bool checkpointed) { return control::Answer(checkpointed ? "true" : "false"); }, clock_.Mono());
  EXPECT_EQ(Await(2), true);
  Iterate(clock_.Mono() + 29s);
  EXPECT_EQ(answers_.count(1), 0U) << answers_[1];
  Iterate(clock_.Mono() + 30s);
  ASSERT_EQ(answers_.count(1), 1U);
  EXPECT_EQ(answers_[1]["complete"], false);
  EXPECT_EQ(answers_[1]["folded"], true);
  EXPECT_EQ(answers_[1]["waited_ms"], 30'000);
  EXPECT_EQ(answers_[1]["destinations"][0]["pending"], 2);
  EXPECT_EQ(answers_[1]["destinations"][0]["complete"], false);
}

TEST_F(LongCallsTest, FlushDoesNotWaitForADestinationThatIsPaused) {
  Append(R"({"a":1})");
  app_->destinations->units()[0].destination->Pause(std::nullopt, clock_.Mono());
  Flush();
  const json answer = Await(1);
  EXPECT_EQ(answer["complete"], false);
  EXPECT_EQ(answer["destinations"][0]["state"], "paused");
  EXPECT_EQ(answer["destinations"][0]["pending"], 1);
}

TEST_F(LongCallsTest, VerifyReadsAllAndOneAtATime) {
  for (int i = 0; i < 10; ++i) {
    Append("payload");
  }
  const auto answer_of = [&](const queue::CheckReport& report) {
    return control::Answer(CheckJson(app_->queue->id(), report));
  };
  ASSERT_TRUE(calls_.Verify(1, answer_of, clock_.Mono()));
  const Status second = calls_.Verify(2, answer_of, clock_.Mono());
  EXPECT_EQ(second.error().code, ErrorCode::kBusy);
  EXPECT_NE(second.error().message, "");
  const json answer = Await(1);
  EXPECT_EQ(answer["ok"], true) << answer;
  EXPECT_EQ(answer["messages"], 10) << "also what only the journal had";
  EXPECT_EQ(answer["queue_id"], app_->queue->id());
  EXPECT_TRUE(calls_.Verify(3, answer_of, clock_.Mono()));
  EXPECT_EQ(Await(3)["ok"], true);
}

TEST_F(LongCallsTest, NothingUnderWayNeedsNoTurn) {
  bridge::LongCalls::Ready ready;
  EXPECT_EQ(calls_.Step(clock_.Mono(), ready), MonoTime::max());
  Flush();
  Append("x");
  EXPECT_LE(calls_.Step(clock_.Mono(), ready), clock_.Mono() + 100ms);
}

// --- the same through the control socket's commands ---

class AnswersLater final : public control::Server {
 public:
  std::vector<int> Fds() const override { return {}; }
  void Serve() override {}
  bool Push(std::uint64_t, const std::string&) override { return false; }
  bool HasRoom(std::uint64_t) override { return true; }
  void AnswerLater(std::uint64_t connection, const control::Answer& answer) override {
    answers.emplace(connection, answer);
  }
  std::map<std::uint64_t, control::Answer> answers;
};

class QueueCommands : public AppTest {
 protected:
  control::Answer Ask(const std::string& command, const json& args, bool may_change = true) {
    const control::Answer now = handlers_.Handle(control::Call{command, args.dump(), may_change, ++connection_});
    if (now || now.error().code != ErrorCode::kBusy || !now.error().message.empty()) {
      return now;
    }
    EXPECT_TRUE(test::WaitFor([&] {
      app_->queue->Poll();
      handlers_.Serve(server_, clock_.Mono());
      return server_.answers.count(connection_) > 0;
    }));
    return server_.answers.at(connection_);
  }
  json Json(const control::Answer& answer) {
    EXPECT_TRUE(answer) << answer.error().message;
    return json::parse(answer.value_or("{}"));
  }

  Commands commands_{*app_, file_};
  Handlers& handlers_ = commands_.handlers;
  AnswersLater server_;
  std::uint64_t connection_ = 0;
};

TEST_F(QueueCommands, ExportGivesPayloadsAsTextOrBase64PageByPage) {
  Append(R"({"a":1})");
  Append(std::string("\xFF\x00\x01\xFE", 4));
  Append("M\xC3\xBCller");
  json page = Json(Ask("queue_export", {{"limit", 2}}));
  ASSERT_EQ(page["messages"].size(), 2U) << page;
  EXPECT_EQ(page["messages"][0]["record_id"], app_->queue->id() + ".n.1");
  EXPECT_EQ(page["messages"][0]["payload"], R"({"a":1})");
  EXPECT_EQ(page["messages"][0]["payload_encoding"], "text");
  EXPECT_EQ(page["messages"][0]["stream"], "telemetry");
  EXPECT_EQ(page["messages"][0]["topic"], "site/a/dev/17/telemetry");
  EXPECT_EQ(page["messages"][1]["payload"], "/wAB/g==");
  EXPECT_EQ(page["messages"][1]["payload_encoding"], "base64");
  ASSERT_TRUE(page["next"].is_string()) << page;
  page = Json(Ask("queue_export", {{"limit", 2}, {"at", page["next"]}}));
  ASSERT_EQ(page["messages"].size(), 1U);
  EXPECT_EQ(page["messages"][0]["payload"], "M\xC3\xBCller");
  EXPECT_TRUE(page["next"].is_null());
}

TEST_F(QueueCommands, ExportRefusesWhatItDoesNotUnderstand) {
  EXPECT_EQ(Ask("queue_export", {{"lane", "fast"}}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(Ask("queue_export", {{"at", "nonsense"}}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(Ask("queue_export", {{"limit", -1}}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(Ask("queue_export", {{"from_us", "yesterday"}}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(Ask("queue_export", {{"stream", "nothing"}}).error().code, ErrorCode::kNotFound);
}

TEST_F(QueueCommands, WhoOnlyLooksDoesNotKeepTheLoopWaitingForTheDisk) {
  Append(R"({"a":1})");
  const json id = {{"record_id", app_->queue->id() + ".n.1"}};
  for (const auto& [command, args] : {std::pair("dead_list", json::object()),
                                      std::pair("queue_quarantine", json::object()), std::pair("where", id)}) {
    const control::Answer now = handlers_.Handle(control::Call{command, args.dump(), false, ++connection_});
    ASSERT_FALSE(now) << command;
    EXPECT_EQ(now.error().code, ErrorCode::kBusy) << command << ": " << now.error().message;
    EXPECT_EQ(now.error().message, "") << "the answer follows";
    EXPECT_TRUE(Ask(command, args, false)) << command;
  }
}

TEST_F(QueueCommands, VerifyAndFlushAnswerLaterAndFlushIsNotForEveryone) {
  Append("payload");
  EXPECT_EQ(Json(Ask("queue_verify", json::object(), false))["ok"], true);
  EXPECT_EQ(Json(Ask("ledger", {{"check", true}}, false))["checked"], true);
  EXPECT_EQ(Ask("flush", json::object(), false).error().code, ErrorCode::kPermissionDenied);
  EXPECT_EQ(Json(Ask("flush", {{"timeout_ms", 0}}))["complete"], false);
  EXPECT_EQ(Ask("flush", {{"destination", "nowhere"}}).error().code, ErrorCode::kNotFound);
}

// --- P3 at the start ---

TEST_F(AppTest, ALedgerThatDoesNotBalanceAtTheStartIsAnEventAndShowsInTheStatus) {
  Append("payload");
  EXPECT_TRUE(app_->events.Open().empty());
  Stop();
  {
    Result<queue::Database> db = queue::Database::Open(dir_ / "queue.db", queue::Database::Mode::kReadWriteCreate);
    ASSERT_TRUE(db);
    ASSERT_TRUE(db->Execute("UPDATE ledger SET messages = 3 WHERE outcome = 0"));
  }
  Start();
  const std::vector<health::Event> events = app_->events.Open();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].name, "ledger_mismatch");
  EXPECT_THAT(events[0].message, HasSubstr("received 3, but delivered 0"));
  const monitor::Verdict verdict = monitor::Judge(Observe(*app_, clock_.Mono()));
  EXPECT_THAT(verdict.reasons, Contains(HasSubstr("the ledger does not balance")));
  EXPECT_NE(verdict.state, monitor::State::kOk);
}

}  // namespace
}  // namespace packhorse::daemon
