// Dead letters that are given up or written out, and failed exchanges: from the control socket's answers to what people
// see.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "app_fixture.h"
#include "base/encode.h"
#include "commands_fixture.h"
#include "common/dead_json.h"
#include "packhorse/commands.h"
#include "packhorse/views.h"
#include "packhorsed/exchanges_json.h"
#include "support/process.h"

namespace packhorse::daemon {
namespace {

using Object = nlohmann::json;
using testing::HasSubstr;
using testing::Not;

// Keeps what is answered later.
class LateAnswers final : public control::Server {
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

class DeadCommands : public AppTest {
 protected:
  control::Answer Ask(const std::string& command, const Object& args, bool may_change = true) {
    const control::Answer now =
        commands_->handlers.Handle(control::Call{command, args.dump(), may_change, ++connection_});
    if (now || now.error().code != ErrorCode::kBusy || !now.error().message.empty()) {
      return now;
    }
    EXPECT_TRUE(test::WaitFor([&] {
      app_->queue->Poll();
      commands_->handlers.Serve(server_, clock_.Mono());
      return server_.answers.count(connection_) > 0;
    }));
    return server_.answers.at(connection_);
  }
  Object Asked(const std::string& command, const Object& args) {
    const control::Answer answer = Ask(command, args);
    EXPECT_TRUE(answer) << answer.error().message;
    return Object::parse(answer.value_or("{}"));
  }

  // Makes a dead letter of a message with this payload. Its id.
  std::int64_t Bury(const std::string& payload) {
    const Sequence sequence = Append(payload);
    const Result<queue::Pending> pending = app_->queue->Peek("cloud", Lane::kNormal, 1, 1U << 20U);
    EXPECT_TRUE(pending);
    queue::PrepareRequest request{"cloud", Lane::kNormal, pending->from, pending->through, {}, {}};
    auto batch = std::make_unique<queue::PreparedBatch>();
    batch->destination = "cloud";
    batch->idempotency_key = "key-" + std::to_string(sequence);
    batch->members.push_back(queue::Member{sequence, pending->messages.front().message.stream, 0, 1, 1,
                                           queue::HourOf(pending->messages.front().message.received_at)});
    batch->records = 1;
    request.batches.push_back(std::move(batch));
    queue::BatchId id = 0;
    app_->queue->Prepare(std::move(request),
                         [&](const Result<std::vector<queue::BatchId>>& ids) { id = ids ? ids->front() : -1; });
    Wait([&] { return id != 0; });
    queue::Settlement settlement;
    settlement.batch = id;
    settlement.http_status = 422;
    settlement.attempts = 2;
    settlement.dead.push_back(queue::DeadRecord{sequence, 0, "rejected", "no such device", "req-9", 422});
    bool settled = false;
    app_->queue->Settle(std::move(settlement), [&](const Result<std::vector<queue::BatchId>>&) { settled = true; });
    Wait([&] { return settled; });
    const Object list = Asked("dead_list", Object::object());
    return list["dead_letters"].empty() ? 0 : list["dead_letters"].back()["id"].get<std::int64_t>();
  }
  void Wait(const std::function<bool()>& until) {
    EXPECT_TRUE(test::WaitFor([&] {
      app_->queue->Poll();
      return until();
    }));
  }

  std::unique_ptr<Commands> commands_ = std::make_unique<Commands>(*app_, file_);
  LateAnswers server_;
  std::uint64_t connection_ = 0;
};

TEST_F(DeadCommands, DroppedLettersAreGoneFromTheListAndWhatCannotBeDroppedIsNamed) {
  const std::int64_t one = Bury(R"({"a":1})");
  const std::int64_t two = Bury(R"({"a":2})");
  const std::int64_t three = Bury(R"({"a":3})");
  const Object report = Asked("dead_drop", {{"ids", {three, one, 4711}}});
  EXPECT_EQ(report["dropped"], Object({one, three}));
  ASSERT_EQ(report["failures"].size(), 1U) << report;
  EXPECT_THAT(report["failures"][0].get<std::string>(), HasSubstr("4711"));
  const Object list = Asked("dead_list", Object::object());
  ASSERT_EQ(list["dead_letters"].size(), 1U);
  EXPECT_EQ(list["dead_letters"][0]["id"], two);
  EXPECT_EQ(app_->queue->ReadLedger()->Total().rejected, 3U);
  const std::string text = cli::DroppedText(report.dump(), cli::Style(false));
  EXPECT_THAT(text, HasSubstr(std::to_string(one) + " is given up"));
  EXPECT_THAT(text, HasSubstr("! 4711"));
}

TEST_F(DeadCommands, OnlyWhoMayChangeDropsAndNotWithoutIds) {
  EXPECT_EQ(Ask("dead_drop", {{"ids", {1}}}, false).error().code, ErrorCode::kPermissionDenied);
  EXPECT_EQ(Ask("dead_drop", {{"ids", Object::array()}}).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(DeadCommands, MendedPayloadIsOfOneDeadLetterAndMustDecodeToAsManyRecords) {
  const std::int64_t id = Bury(R"({"a":1})");
  const auto refusal = [&](const Object& args) { return Ask("dead_replay", args).error().code; };
  EXPECT_EQ(refusal({{"ids", {id, id + 1}}, {"payload_hex", "7b7d"}}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refusal({{"all", true}, {"payload_hex", "7b7d"}}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refusal({{"ids", {id}}, {"payload_hex", "7b7"}}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refusal({{"ids", {id}}, {"payload_hex", "7x7d"}}), ErrorCode::kInvalidArgument);
  const auto hex = [](std::string_view payload) { return Hex(payload); };
  const Object two = Asked("dead_replay", {{"ids", {id}}, {"payload_hex", hex(R"([{"a":1},{"a":2}])")}});
  EXPECT_THAT(two["failures"].dump(), HasSubstr("does not decode to the records it had"));
  EXPECT_EQ(Asked("dead_list", Object::object())["dead_letters"].size(), 1U);
  const Object one = Asked("dead_replay", {{"ids", {id}}, {"payload_hex", hex(R"({"a":7})")}});
  EXPECT_EQ(one["replayed"], 1) << one;
  EXPECT_EQ(Asked("dead_list", Object::object())["dead_letters"].size(), 0U);
  const Result<std::vector<queue::PreparedBatch>> batches = app_->queue->PreparedBatches("cloud");
  ASSERT_EQ(batches->size(), 1U);
  EXPECT_EQ(batches->front().records, 1U);
}

TEST_F(DeadCommands, ExportGivesPayloadsAndTheProvidersWords) {
  const std::int64_t id = Bury(R"({"a":1})");
  Bury(std::string("\xFF\x00\x01\xFE", 4));
  const Object page = Asked("dead_export", {{"destination", "cloud"}});
  ASSERT_EQ(page["dead_letters"].size(), 2U) << page;
  EXPECT_TRUE(page["next"].is_null());
  EXPECT_EQ(page["dead_letters"][0]["payload"], R"({"a":1})");
  EXPECT_EQ(page["dead_letters"][0]["detail"], "no such device");
  EXPECT_EQ(page["dead_letters"][0]["provider_request_id"], "req-9");
  EXPECT_EQ(page["dead_letters"][1]["payload_encoding"], "base64");
  EXPECT_EQ(page["dead_letters"][1]["payload"], "/wAB/g==");
  EXPECT_EQ(Asked("dead_export", {{"after", id}})["dead_letters"].size(), 1U);
  EXPECT_EQ(Asked("dead_export", {{"destination", "other"}})["dead_letters"].size(), 0U);
}

TEST_F(DeadCommands, ExportOfAStoppedDaemonGoesToTheFile) {
  const std::int64_t one = Bury(R"({"a":1})");
  Bury(R"({"a":2})");
  commands_.reset();
  Stop();
  cli::Globals globals;
  globals.config_file = file_;
  testing::internal::CaptureStderr();
  EXPECT_EQ(cli::DeadExport(globals, "", dir_ / "dead.ndjson"), cli::kExitFine);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("2 written"));
  const std::string text = test::ReadAll(dir_ / "dead.ndjson");
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
  const Object first = Object::parse(text.substr(0, text.find('\n')));
  EXPECT_EQ(first["id"], one);
  EXPECT_EQ(first["payload"], R"({"a":1})");
  testing::internal::CaptureStderr();
  EXPECT_EQ(cli::DeadExport(globals, "", dir_ / "no/such/folder"), cli::kExitProblem);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("cannot write"));
}

TEST(DeadExport, PageIsBoundedInNumberAndBytesAndLeavesOutWhatDoesNotFit) {
  std::vector<queue::DeadLetter> letters(kDeadPage + 1);
  for (std::size_t i = 0; i < letters.size(); ++i) {
    letters[i].id = static_cast<std::int64_t>(i) + 1;
    letters[i].destination = i % 2 == 0 ? "cloud" : "other";
    letters[i].message.payload = "x";
  }
  Object page = Object::parse(DeadExportJson(letters, {}, "cloud", 1U << 20U));
  EXPECT_EQ(page["dead_letters"].size(), kDeadPage / 2);
  EXPECT_EQ(page["next"], kDeadPage);
  letters[0].message.payload = std::string(2U << 20U, 'x');
  page = Object::parse(DeadExportJson(letters, {}, "", 1U << 20U));
  EXPECT_TRUE(page["dead_letters"][0]["payload"].is_null());
  EXPECT_EQ(page["dead_letters"][0]["payload_left_out"], 2U << 20U);
  for (std::size_t i = 0; i < 8; ++i) {
    letters[i].message.payload = std::string(1U << 20U, 'y');
  }
  page = Object::parse(DeadExportJson(letters, {}, "", 8U << 20U));
  EXPECT_LT(page["dead_letters"].size(), 6U);
  EXPECT_EQ(page["next"], page["dead_letters"].size());
}

TEST_F(DeadCommands, ExchangesOfAnUnknownDestinationAreNotFoundAndWithoutFailuresThereAreNone) {
  EXPECT_EQ(Asked("exchanges", Object::object())["exchanges"].size(), 0U);
  EXPECT_EQ(Asked("exchanges", {{"destination", "cloud"}})["exchanges"].size(), 0U);
  EXPECT_EQ(Ask("exchanges", {{"destination", "elsewhere"}}, false).error().code, ErrorCode::kNotFound);
  EXPECT_THAT(cli::ExchangesText(R"({"exchanges":[]})", cli::Style(false), {}), HasSubstr("no exchange failed"));
}

TEST(ExchangesView, OneIsShownWithWhatWasSentAndWhatCameBack) {
  queue::PreparedBatch batch;
  batch.idempotency_key = "key-1";
  batch.trace_id = "0123456789abcdef0123456789abcdef";
  batch.records = 2;
  batch.body = R"({"records":[]})";
  outcome::Reply reply;
  reply.complete = true;
  reply.status = 503;
  reply.headers = {{"retry-after", "7"}};
  reply.body = "busy\x1b[31m";
  outcome::Verdict verdict;
  verdict.action = outcome::Action::kRetry;
  verdict.reason = "HTTP 503 Service Unavailable";
  verdict.provider_request_id = "req-1";
  delivery::Exchanges exchanges;
  exchanges.Note(batch, {"POST", "/v1/t?key=abcdef", {{"Authorization", "Bearer secret-token"}}}, reply, verdict,
                 std::chrono::milliseconds(40), WallTime(std::chrono::seconds(1'800'000'000)));
  const std::string json = ExchangesJson({{"cloud", &exchanges}});
  const Object one = Object::parse(json)["exchanges"][0];
  EXPECT_EQ(one["destination"], "cloud");
  EXPECT_EQ(one["http_status"], 503);
  EXPECT_EQ(one["elapsed_ms"], 40.0);
  EXPECT_EQ(one["request_headers"][0]["value"], "***");
  EXPECT_EQ(one["trace_id"], batch.trace_id);
  const std::string text = cli::ExchangesText(json, cli::Style(false), {});
  for (const char* shown : {"cloud", "> POST /v1/t?key=***, 2 records", "Authorization: ***", R"({"records":[]})",
                            "< HTTP status 503 after 40 ms", "retry-after: 7", "busy", "failed, to be tried again",
                            "req-1", "key-1", "0123456789abcdef"}) {
    EXPECT_THAT(text, HasSubstr(shown));
  }
  EXPECT_THAT(text, Not(HasSubstr("secret")));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
}

TEST(DeadList, ProvidersWordsStandBelowTheListOnceForAllOfWhichTheyWereSaid) {
  std::vector<queue::DeadLetter> letters(12);
  for (std::size_t i = 0; i < letters.size(); ++i) {
    letters[i].id = static_cast<std::int64_t>(i) + 1;
    letters[i].reason = "rejected";
    letters[i].detail = i == 11 ? "too old" : "no such device";
    letters[i].provider_request_id = i == 11 ? "req-12" : "";
  }
  const std::string text = cli::DeadListText(DeadListJson(letters, {}, 20), cli::Style(false), {});
  EXPECT_THAT(text, HasSubstr("1, 2, 3, 4, 5, 6, 7, 8 and 3 more: no such device"));
  EXPECT_THAT(text, HasSubstr("12 (request req-12): too old"));
}

TEST(StatusView, EndOfAnApiIsShownAtItsDestination) {
  const std::string text = cli::StatusText(
      R"({"state":"ok","destinations":[{"name":"cloud","state":"ok","deprecation":{"text":"the API ends on 2027-01-25, in 9 days"}},
          {"name":"other","state":"ok","deprecation":null}]})",
      cli::Style(false), {});
  EXPECT_THAT(text, HasSubstr("cloud: the API ends on 2027-01-25, in 9 days"));
  EXPECT_THAT(text, Not(HasSubstr("other:")));
}

}  // namespace
}  // namespace packhorse::daemon
