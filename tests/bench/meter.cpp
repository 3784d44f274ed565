#include "bench/meter.h"

#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

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
  usage.cpu_seconds = CpuSeconds(pid);
  usage.written_bytes = NumberOf("/proc/" + pid + "/io", "write_bytes:");
  usage.peak_rss_kib = NumberOf("/proc/" + pid + "/status", "VmHWM:");
  return usage;
}

void Print(const std::string& name, std::uint64_t messages, const Usage& before, const Usage& after) {
  const double seconds = std::chrono::duration<double>(after.at - before.at).count();
  const auto count = static_cast<double>(messages);
  std::printf("name=%s messages=%" PRIu64 " per_second=%.0f cpu_us=%.2f written=%.0f rss_kib=%" PRIu64 "\n",
              name.c_str(), messages, count / seconds, (after.cpu_seconds - before.cpu_seconds) * 1e6 / count,
              static_cast<double>(after.written_bytes - before.written_bytes) / count, after.peak_rss_kib);
  std::fflush(stdout);
}

std::string Payload(std::uint64_t number) {
  char text[320];
  const auto step = static_cast<double>(number % 1000) / 100.0;
  const int length =
      std::snprintf(text, sizeof(text),
                    "{\"ts\":%" PRIu64 ",\"seq\":%" PRIu64
                    ",\"temperature\":%.2f,\"humidity\":%.1f,\"pressure\":%.1f,\"battery\":{\"voltage\":%.3f,"
                    "\"percent\":%d},\"vibration\":[%.3f,%.3f,%.3f],\"firmware\":\"1.4.2\",\"ok\":true}",
                    1'795'162'531'500 + number, number, 18.0 + step, 40.0 + step * 2, 1013.0 - step, 3.3 + step / 100,
                    static_cast<int>(number % 101), step / 7, step / 11, step / 13);
  return {text, static_cast<std::size_t>(length)};
}

std::string Topic(std::uint64_t number) { return "site/a/dev/" + std::to_string(number % 200) + "/telemetry"; }

RuntimeDir::RuntimeDir() {
  std::string path = "/dev/shm/packhorse.XXXXXX";
  if (mkdtemp(path.data()) == nullptr) {
    Fail("no folder below /dev/shm");
  }
  path_ = path;
}

RuntimeDir::~RuntimeDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
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
