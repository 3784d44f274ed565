// The commands that look into the queue and empty it, with the running daemon and with the file of a stopped one.

#include <gtest/gtest.h>

#include <algorithm>

#include "site.h"

namespace packhorse::test {
namespace {

using nlohmann::json;

// Sequence numbers of the payloads in the lines of an export.
std::vector<int> Exported(const std::string& lines) {
  std::vector<int> numbers;
  for (std::size_t at = 0; at < lines.size(); at = lines.find('\n', at) + 1) {
    const json line = json::parse(lines.substr(at, lines.find('\n', at) - at));
    EXPECT_FALSE(line["record_id"].get<std::string>().empty());
    numbers.push_back(json::parse(line["payload"].get<std::string>())["seq"].get<int>());
  }
  return numbers;
}

TEST(QueueTools, FlushVerifyExportAndPeekWithTheDaemonAndWithItsFile) {
  Site site;
  site.config()["destinations"][0]["batch"]["max_age"] = "5m";
  site.StartBridge();
  site.Publish(20);
  const RunResult flushed = site.Cli({"flush"});
  EXPECT_EQ(flushed.exit_code, 0) << flushed.out << flushed.err;
  EXPECT_EQ(site.CloudRecords(), 20) << "sent before their batch was five minutes old";
  site.KillCloud();
  site.Publish(5);
  const RunResult pending = site.Cli({"flush", "cloud", "--timeout", "1s"});
  EXPECT_EQ(pending.exit_code, 1);
  EXPECT_NE(pending.out.find("5 still pending"), std::string::npos) << pending.out;

  const RunResult verified = site.Cli({"queue", "verify"});
  EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
  const RunResult running = site.Cli({"queue", "export", "--stream", "telemetry"});
  EXPECT_EQ(running.exit_code, 0) << running.err;
  std::vector<int> numbers = Exported(running.out);
  ASSERT_GE(numbers.size(), 5U);
  EXPECT_TRUE(std::is_sorted(numbers.begin(), numbers.end()));
  EXPECT_EQ(site.Cli({"queue", "export", "--stream", "nothing"}).exit_code, 1);

  // A second daemon on the same queue.
  json other = site.config();
  other["control"]["socket"] = site.Path("other.sock");
  WriteAll(site.Path("other.json"), other.dump());
  Process second({Site::Bin("packhorsed"), "--config", site.Path("other.json")}, site.Path("other.log"));
  const std::string held = "the queue is in use by process " + std::to_string(site.bridge().pid());
  EXPECT_TRUE(WaitFor([&] { return ReadAll(site.Path("other.log")).find(held) != std::string::npos; }))
      << ReadAll(site.Path("other.log"));
  const RunResult checked = site.Cli({"check", site.Path("other.json")});
  EXPECT_EQ(checked.exit_code, 0) << checked.out;
  EXPECT_NE(checked.out.find(held), std::string::npos) << checked.out;
  EXPECT_EQ(site.Cli({"check", site.Path("packhorse.json")}).out.find("in use"), std::string::npos) << "by the daemon";
  EXPECT_EQ(second.Stop(), 0);

  EXPECT_EQ(site.StopBridge(), 0);
  const std::string config = site.Path("packhorse.json");
  const RunResult stopped = site.Cli({"--config", config, "queue", "export", "--limit", "1000"});
  EXPECT_EQ(stopped.exit_code, 0) << stopped.err;
  numbers = Exported(stopped.out);
  ASSERT_GE(numbers.size(), 5U);
  EXPECT_EQ(numbers.back() - numbers[numbers.size() - 5], 4) << stopped.out;
  EXPECT_EQ(site.Cli({"--config", config, "queue", "verify"}).exit_code, 0);
  EXPECT_EQ(site.Cli({"--config", config, "queue", "peek"}).exit_code, 0);
  EXPECT_EQ(site.Cli({"--config", config, "flush"}).exit_code, 3);

  // What must never happen shows at once.
  ASSERT_EQ(test::Run({"sqlite3", site.Path("queue.db"), "UPDATE ledger SET messages = messages + 7 WHERE outcome = 0"})
                .exit_code,
            0);
  EXPECT_EQ(site.Cli({"--config", config, "queue", "verify"}).exit_code, 1);
  site.StartBridge();
  const json status = site.Status();
  EXPECT_NE(status["reasons"].dump().find("the ledger does not balance"), std::string::npos) << status["reasons"];
  EXPECT_NE(status["events"].dump().find("ledger_mismatch"), std::string::npos) << status["events"];
  EXPECT_EQ(site.Cli({"queue", "verify"}).exit_code, 1);
}

}  // namespace
}  // namespace packhorse::test
