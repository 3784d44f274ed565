#include "bench/meter.h"

#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <sstream>
#include <utility>

namespace packhorse::bench {
namespace {

// The number behind `key` in a file of "key: value" lines; 0 when there is none.
std::uint64_t NumberOf(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    if (line.rfind(key, 0) == 0) {
      return std::strtoull(line.c_str() + key.size(), nullptr, 10);
    }
  }
  return 0;
}

// To the nanosecond, where the process asks for itself.
double OwnCpuSeconds() {
  timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

// Fields 14 and 15 of /proc/PID/stat (proc(5)), counted behind the program's name, which may hold blanks.
double CpuSeconds(const std::string& pid) {
  std::ifstream file("/proc/" + pid + "/stat");
  std::stringstream all;
  all << file.rdbuf();
  const std::string text = all.str();
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) {
    return 0;
  }
  std::istringstream fields(text.substr(name_end + 1));
  std::string skipped;
  for (int i = 0; i < 11; ++i) {
    fields >> skipped;
  }
  double user = 0;
  double system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

}  // namespace

Usage Measure(const std::string& pid) {
  Usage usage;
  usage.at = std::chrono::steady_clock::now();
  usage.cpu_seconds = pid == "self" ? OwnCpuSeconds() : CpuSeconds(pid);
  usage.written_bytes = NumberOf("/proc/" + pid + "/io", "write_bytes:");
  usage.peak_rss_kib = NumberOf("/proc/" + pid + "/status", "VmHWM:");
  return usage;
}

void Print(const std::string& name, std::uint64_t messages, const Usage& before, const Usage& after) {
  const double seconds = std::chrono::duration<double>(after.at - before.at).count();
  const auto count = static_cast<double>(messages);
  std::printf("name=%s messages=%" PRIu64 " per_second=%.0f cpu_us=%.2f written=%.1f payload=%.1f rss_kib=%" PRIu64
              "\n",
              name.c_str(), messages, count / seconds, (after.cpu_seconds - before.cpu_seconds) * 1e6 / count,
              static_cast<double>(after.written_bytes - before.written_bytes) / count,
              Traffic::Shared().MeanPayloadBytes(), after.peak_rss_kib);
  std::fflush(stdout);
}

std::string Topic(std::uint64_t number) { return "site/a/dev/" + std::to_string(number % 200) + "/telemetry"; }

const Traffic& Traffic::Shared() {
  static const Traffic traffic;
  return traffic;
}

Traffic::Traffic() {
  constexpr std::int64_t kItems = 20'000;
  test::WalkingDevices devices(1);
  for (std::int64_t i = 0; i < kItems; ++i) {
    items_.push_back(devices.Next(1'795'162'531'500 + i / 5));
  }
}

double Traffic::MeanPayloadBytes() const {
  double bytes = 0;
  for (const Item& item : items_) {
    bytes += static_cast<double>(item.payload.size());
  }
  return bytes / static_cast<double>(items_.size());
}

std::uint64_t RateOf(const std::string& mode) {
  const std::size_t dash = mode.rfind('-');
  return dash == std::string::npos ? 0 : std::strtoull(mode.c_str() + dash + 1, nullptr, 10);
}

Arguments ParseArguments(int argc, char** argv, const std::string& usage) {
  Arguments arguments;
  if (argc == 3) {
    arguments.mode = argv[1];
    arguments.messages = std::strtoull(argv[2], nullptr, 10);
  }
  if (arguments.messages == 0) {
    std::fprintf(stderr, "Usage: %s\n", usage.c_str());
    std::exit(2);
  }
  return arguments;
}

void Fail(const std::string& what) {
  std::fprintf(stderr, "bench: %s\n", what.c_str());
  std::exit(1);
}

}  // namespace packhorse::bench
