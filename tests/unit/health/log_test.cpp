#include "health/log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>
#include <vector>

#include "base/file.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace packhorse::health {
namespace {

using testing::HasSubstr;

// Standard error goes to a file while this lives; the configuration is the default again afterwards.
class LogTest : public testing::Test {
 protected:
  LogTest() : saved_(dup(STDERR_FILENO)) {
    const int file = open((dir_ / "stderr").c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
    dup2(file, STDERR_FILENO);
    close(file);
  }
  ~LogTest() override {
    EXPECT_TRUE(ConfigureLog("info", "text"));
    dup2(saved_, STDERR_FILENO);
    close(saved_);
  }
  // The lines of one event: another test's flood may be summed up in between.
  std::vector<std::string> Lines(const std::string& event) const {
    std::fflush(stderr);
    std::istringstream in(test::ReadAll(dir_ / "stderr"));
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) {
      if (line.find(event) != std::string::npos) {
        lines.push_back(line);
      }
    }
    return lines;
  }
  // An event of this test and repetition alone: the limit of lines per event holds for the whole process.
  std::string Unique(const std::string& event) const { return event + "_" + std::to_string(run_) + "_"; }

 private:
  static int runs_;
  const int run_ = ++runs_;
  test::TempDir dir_;
  int saved_;
};

int LogTest::runs_ = 0;

TEST_F(LogTest, TheDefaultIsTextAtInfo) {
  Log(LogLevel::kInfo, "started", "hello", {{"version", "1"}});
  Log(LogLevel::kDebug, "started", "not shown");
  ASSERT_EQ(Lines("started").size(), 1U);
  EXPECT_THAT(Lines("started")[0], testing::EndsWith(" info started: hello version=1"));
}

TEST_F(LogTest, JsonLinesAreJson) {
  ASSERT_TRUE(ConfigureLog("debug", "json"));
  Log(LogLevel::kDebug, "tried", "a\nb", {{"n", "1"}});
  ASSERT_EQ(Lines("tried").size(), 1U);
  const auto json = nlohmann::json::parse(Lines("tried")[0]);
  EXPECT_EQ(json["level"], "debug");
  EXPECT_EQ(json["event"], "tried");
  EXPECT_EQ(json["message"], "a\nb");
  EXPECT_EQ(json["fields"]["n"], "1");
  EXPECT_EQ(json["ts"].get<std::string>().size(), 27U);
}

TEST_F(LogTest, OnlyTheConfiguredLevelAndWorseAreWritten) {
  const std::pair<const char*, std::size_t> kCases[] = {{"error", 1}, {"warning", 2}, {"info", 3}, {"debug", 4}};
  std::size_t expected = 0;
  for (const auto& [level, lines] : kCases) {
    ASSERT_TRUE(ConfigureLog(level, "text"));
    for (const LogLevel each : {LogLevel::kError, LogLevel::kWarning, LogLevel::kInfo, LogLevel::kDebug}) {
      Log(each, std::string("levels_") + level, "x");
    }
    expected += lines;
    EXPECT_EQ(Lines("levels_").size(), expected) << level;
  }
  ASSERT_TRUE(ConfigureLog("warning", "text"));
  EXPECT_TRUE(LogEnabled(LogLevel::kError));
  EXPECT_TRUE(LogEnabled(LogLevel::kWarning));
  EXPECT_FALSE(LogEnabled(LogLevel::kInfo));
}

TEST_F(LogTest, UnknownLevelsAndFormatsAreRefusedAndChangeNothing) {
  for (const char* level : {"", "Info", "trace", "warn"}) {
    const Status status = ConfigureLog(level, "json");
    ASSERT_FALSE(status) << level;
    EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(status.error().message, HasSubstr("error, warning, info, debug"));
  }
  for (const char* format : {"", "JSON", "xml"}) {
    const Status status = ConfigureLog("debug", format);
    ASSERT_FALSE(status) << format;
    EXPECT_THAT(status.error().message, HasSubstr("neither json nor text"));
  }
  EXPECT_FALSE(LogEnabled(LogLevel::kDebug));
}

TEST_F(LogTest, AStormOfOneEventIsBounded) {
  for (int i = 0; i < 5'000; ++i) {
    Log(LogLevel::kError, Unique("storm"), "again");
  }
  const std::vector<std::string> lines = Lines(Unique("storm"));
  EXPECT_GE(lines.size(), 50U);
  EXPECT_LT(lines.size(), 1'000U) << "50 per second, and this takes far less than 20 s";
  EXPECT_TRUE(test::WaitFor([&] {
    Log(LogLevel::kInfo, Unique("calm"), "the storm is over");
    return Lines(Unique("storm")).back().find("more, left out") != std::string::npos;
  })) << "how many were left out is told with the next line of a later second";
}

TEST_F(LogTest, PercentAndBracesAreNoFormats) {
  Log(LogLevel::kInfo, "braces", "{} %s %n {0}", {{"k", "{}"}});
  ASSERT_EQ(Lines("braces").size(), 1U);
  EXPECT_THAT(Lines("braces")[0], HasSubstr("{} %s %n {0} k={}"));
}

TEST_F(LogTest, ThreadsDoNotMixTheirLines) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < 40; ++i) {
        Log(LogLevel::kInfo, Unique("thread") + std::to_string(t), std::string(500, static_cast<char>('a' + t)));
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  const std::vector<std::string> lines = Lines(Unique("thread"));
  EXPECT_EQ(lines.size(), 160U);
  for (const std::string& line : lines) {
    const std::string text = line.substr(line.size() - 500);
    EXPECT_TRUE(std::all_of(text.begin(), text.end(), [&](char c) { return c == text[0]; })) << line;
  }
}

TEST_F(LogTest, TellsHowManyLinesNobodyTook) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK), 0);
  const Fd reader(ends[0]);
  const Fd writer(ends[1]);
  while (write(writer.get(), "x", 1) == 1) {
  }
  const int file = dup(STDERR_FILENO);
  fcntl(writer.get(), F_SETFL, 0);  // whoever waits for room here, waits for ever
  dup2(writer.get(), STDERR_FILENO);
  const std::string event = Unique("unread");
  for (int i = 0; i < 3; ++i) {
    Log(LogLevel::kInfo, event, "nobody reads this");
  }
  LogPlain("nor this");
  dup2(file, STDERR_FILENO);
  close(file);
  Log(LogLevel::kInfo, event, "somebody reads this");
  ASSERT_EQ(Lines(event).size(), 1U);
  const auto told = Lines("log_lines_dropped");
  ASSERT_EQ(told.size(), 1U);
  EXPECT_THAT(told[0], HasSubstr("lines=4"));
  Log(LogLevel::kInfo, event, "and this");
  EXPECT_EQ(Lines("log_lines_dropped").size(), 1U);
}

}  // namespace
}  // namespace packhorse::health
