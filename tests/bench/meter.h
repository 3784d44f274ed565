#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "support/walking_devices.h"

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

// Prints one line for the report: name=... messages=... per_second=... cpu_us=... written=... payload=... rss_kib=...,
// all but the first two and the last per message.
void Print(const std::string& name, std::uint64_t messages, const Usage& before, const Usage& after);

// Topic of one of 200 devices.
std::string Topic(std::uint64_t number);
// Messages of a thousand devices, made beforehand, so that making them is not measured. They repeat only after more
// than what one row of the queue holds: its compression would see the first ones again.
class Traffic {
 public:
  using Item = test::WalkingDevices::Message;
  Traffic();
  // The same for everybody who asks: made by the first one.
  static const Traffic& Shared();
  const Item& At(std::uint64_t number) const { return items_[number % items_.size()]; }
  double MeanPayloadBytes() const;

 private:
  std::vector<Item> items_;
};

// Where a tmpfs is, for journals.
inline constexpr char kInMemory[] = "/dev/shm";

// Command line of every benchmark: `PROGRAM MODE MESSAGES`. Files are written below $TMPDIR, which must be on the disk
// that is to be measured, not in memory.
struct Arguments {
  std::string mode;
  std::uint64_t messages = 0;
};
// The number behind the last dash of a mode: messages per second; 0 (as fast as it goes) when there is none.
std::uint64_t RateOf(const std::string& mode);
// Prints `usage` and exits with 2 when they do not fit.
Arguments ParseArguments(int argc, char** argv, const std::string& usage);

// Prints "bench: what" and ends the process with 1.
[[noreturn]] void Fail(const std::string& what);

}  // namespace packhorse::bench
