#include "packhorse/from_file.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "app_fixture.h"
#include "packhorse/commands.h"

namespace packhorse::cli {
namespace {

using nlohmann::json;
using testing::HasSubstr;

// The queue of a daemon that has ended, as the command line sees it.
class FromFile : public daemon::AppTest {
 protected:
  FromFile() {
    Append(R"({"a":1})");
    Append(std::string("\xFF\x00", 2));
    Append(R"({"a":3})");
    id_ = app_->queue->id();
    Stop();
    globals_.config_file = file_;
    globals_.socket = dir_ / "control.sock";
  }

  Result<std::string> Answer(const std::string& command, const json& args) {
    std::optional<Result<QueueFile>> file =
        QueueFile::Open(globals_, Error{ErrorCode::kUnavailable, "nobody listens"}, command);
    EXPECT_TRUE(file && *file);
    return (**file).Ask(command, args.dump());
  }
  json Ask(const std::string& command, const json& args = json::object()) {
    const Result<std::string> answer = Answer(command, args);
    EXPECT_TRUE(answer) << answer.error().message;
    return json::parse(answer.value_or("{}"));
  }
  // Exit code of a command, with what it printed.
  int Run(const ExportOptions& options) {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int exit_code = ExportQueue(globals_, options);
    out_ = testing::internal::GetCapturedStdout();
    err_ = testing::internal::GetCapturedStderr();
    return exit_code;
  }

  Globals globals_;
  std::string id_;
  std::string out_;
  std::string err_;
};

TEST_F(FromFile, PeekShowsWhatWaitsNext) {
  const json answer = Ask("queue_peek", {{"limit", 2}});
  ASSERT_EQ(answer["waiting"].size(), 1U) << answer;
  const json& part = answer["waiting"][0];
  EXPECT_EQ(part["destination"], "cloud");
  EXPECT_EQ(part["lane"], "normal");
  EXPECT_EQ(part["messages"], 3);
  ASSERT_EQ(part["next"].size(), 2U);
  EXPECT_EQ(part["next"][0]["record_id"], id_ + ".n.1");
  EXPECT_EQ(part["next"][0]["payload_start"], R"({"a":1})");
  EXPECT_EQ(part["next"][0]["stream"], "telemetry");
  EXPECT_EQ(answer["from_file"]["journal_operations"], 0);
  EXPECT_TRUE(Ask("queue_peek", {{"limit", 2}, {"lane", "urgent"}})["waiting"].empty());
  EXPECT_EQ(Answer("queue_peek", {{"limit", 2}, {"destination", "nowhere"}}).error().code, ErrorCode::kNotFound);
}

TEST_F(FromFile, VerifyReadsAll) {
  const json answer = Ask("queue_verify");
  EXPECT_EQ(answer["ok"], true) << answer;
  EXPECT_EQ(answer["messages"], 3);
  EXPECT_EQ(answer["queue_id"], id_);
}

TEST_F(FromFile, ExportWritesOneJsonObjectPerLineAndRemarksElsewhere) {
  EXPECT_EQ(Run({}), kExitFine) << err_;
  EXPECT_THAT(err_, HasSubstr("from the file"));
  std::vector<json> lines;
  for (std::size_t at = 0; at < out_.size(); at = out_.find('\n', at) + 1) {
    lines.push_back(json::parse(out_.substr(at, out_.find('\n', at) - at)));
  }
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0]["record_id"], id_ + ".n.1");
  EXPECT_EQ(lines[1]["payload"], "/wA=");
  EXPECT_EQ(lines[2]["payload"], R"({"a":3})");
}

TEST_F(FromFile, ExportKeepsToItsLimitAndFilters) {
  ExportOptions options;
  options.limit = 2;
  EXPECT_EQ(Run(options), kExitFine);
  EXPECT_EQ(std::count(out_.begin(), out_.end(), '\n'), 2);
  options = {};
  options.from = "2030-01-01T00:00:00Z";
  EXPECT_EQ(Run(options), kExitFine);
  EXPECT_EQ(out_, "");
  options.from = "yesterday";
  EXPECT_EQ(Run(options), kExitUsage);
  EXPECT_THAT(err_, HasSubstr("--from"));
}

TEST_F(FromFile, CommandsThatNeedTheDaemonGetNoFile) {
  for (const char* command : {"flush", "reload", "pause", "status"}) {
    EXPECT_FALSE(QueueFile::Open(globals_, Error{ErrorCode::kUnavailable, ""}, command)) << command;
  }
  EXPECT_FALSE(QueueFile::Open(globals_, Error{ErrorCode::kTimeout, ""}, "queue_peek")) << "it may well run";
}

}  // namespace
}  // namespace packhorse::cli
