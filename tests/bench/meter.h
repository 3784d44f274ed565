#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace packhorse::bench {

// What a process has used so far, from the kernel's books.
struct Usage {
  std::chrono::steady_clock::time_point at{};
  double cpu_seconds = 0;           // user + system, all threads
  std::uint64_t written_bytes = 0;  // handed to block devices (/proc/PID/io write_bytes)
  std::uint64_t peak_rss_kib = 0;   // VmHWM
};

// Of a running process; `self` for this one. Missing numbers (process gone, no permission) stay 0.
Usage Measure(const std::string& pid = "self");

// Prints one line for the report: name=... messages=... per_second=... cpu_us=... written=... rss_kib=...
void Print(const std::string& name, std::uint64_t messages, const Usage& before, const Usage& after);

// A JSON payload of about 200 bytes as a sensor sends it; differs with `number`.
std::string Payload(std::uint64_t number);
// Topic of one of 200 devices.
std::string Topic(std::uint64_t number);

// A new folder on a tmpfs, for journals; removed when destroyed.
class RuntimeDir {
 public:
  RuntimeDir();
  ~RuntimeDir();
  RuntimeDir(const RuntimeDir&) = delete;
  RuntimeDir& operator=(const RuntimeDir&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Command line of every benchmark: `PROGRAM MODE MESSAGES`. Files are written below $TMPDIR, which must be on the disk
// that is to be measured, not in memory.
struct Arguments {
  std::string mode;
  std::uint64_t messages = 0;
};
// Prints `usage` and exits with 2 when they do not fit.
Arguments ParseArguments(int argc, char** argv, const std::string& usage);

// Prints "bench: what" and ends the process with 1.
[[noreturn]] void Fail(const std::string& what);

}  // namespace packhorse::bench
