// `packhorse render --pending`, on the queue of a daemon that is not running.

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "app_fixture.h"
#include "packhorse/cli.h"

namespace packhorse::daemon {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class RenderPending : public AppTest {
 protected:
  // What the command prints; it is to end with `exit_code`.
  std::string Run(std::vector<std::string> words, int exit_code = 0) {
    words.insert(words.begin(), {"packhorse", "--config", file_});
    std::vector<char*> argv;
    for (std::string& word : words) {
      argv.push_back(word.data());
    }
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    EXPECT_EQ(cli::Main(static_cast<int>(argv.size()), argv.data()), exit_code);
    return testing::internal::GetCapturedStdout() + testing::internal::GetCapturedStderr();
  }
};

TEST_F(RenderPending, ShowsTheRequestOfWhatWaitsUnderItsRealRecordIds) {
  Append(R"({"t":21.5})");
  Append(R"({"t":22})");
  Stop();
  const auto answer = nlohmann::json::parse(Run({"--json", "render", "--pending"}));
  ASSERT_EQ(answer["requests"].size(), 1U) << answer.dump();
  const auto& request = answer["requests"][0];
  EXPECT_EQ(request["url"], "http://127.0.0.1:1/v1/telemetry");
  ASSERT_EQ(request["records"].size(), 2U);
  EXPECT_THAT(request["body"].get<std::string>(),
              AllOf(HasSubstr(request["records"][0].get<std::string>()), HasSubstr(R"("value":21.5)"),
                    HasSubstr("site/a/dev/17/telemetry"), Not(HasSubstr("decode."))));
}

TEST_F(RenderPending, LimitSaysHowManyMessagesAndADestinationWhose) {
  Append(R"({"t":1})");
  Append(R"({"t":2})");
  Stop();
  const auto answer = nlohmann::json::parse(Run({"--json", "render", "--pending", "--limit", "1"}));
  EXPECT_EQ(answer["requests"][0]["records"].size(), 1U);
  EXPECT_THAT(Run({"render", "--pending", "--destination", "cloud"}),
              HasSubstr("POST http://127.0.0.1:1/v1/telemetry"));
  EXPECT_THAT(Run({"render", "--pending", "--destination", "nowhere"}, 2), HasSubstr("nowhere"));
}

}  // namespace
}  // namespace packhorse::daemon
