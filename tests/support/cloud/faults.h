#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace packhorse::cloud {

enum class FaultKind {
  kNone,           // behaves; to put pauses between faults
  kDown,           // listener closed, connections cut
  kStatus,         // answers `status` with a problem, stores nothing
  kSlow,           // everything as usual, the reply `delay` later
  kLostReply,      // stores, then closes the connection without a reply
  kPartial,        // 207: some records refused, some to be retried, the others stored
  kHtml,           // an HTML page with `status` (200: a captive portal), stores nothing
  kTruncated,      // stores, then sends half of the reply
  kWrongAccepted,  // stores, then reports one record too few
  kRedirect,       // 307 to elsewhere, stores nothing
  kReset,          // resets the connection, stores nothing
};

std::string_view Name(FaultKind kind);

struct Fault {
  FaultKind kind = FaultKind::kNone;
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::chrono::milliseconds delay{0};
  std::string device;  // not empty: only bodies with a record of this device are concerned
  std::size_t rejected =
      1;                  // kPartial: how many records are refused, from the first (with `device`: all of its records)
  std::size_t retry = 1;  // kPartial: how many of the next are to be sent again (with `device`: none)
};

// A sequence of steps, each for a number of requests or of seconds, as JSON; the README has the format. Thread-safe.
class FaultScript {
 public:
  // Replaces the script; it starts at `now`. An error names the step and the member that is wrong; then nothing
  // changes.
  Status Set(std::string_view text, MonoTime now);
  // Counts one request and says what is to be done with it.
  Fault Next(MonoTime now);

  // Independent of the script: not there from `from` until `until` (none: until Up()).
  void GoDown(MonoTime from, std::optional<MonoTime> until);
  void Up();
  // Whether the cloud is away, by the script or by GoDown().
  bool Down(MonoTime now);

 private:
  struct Step {
    Fault fault;
    std::uint64_t requests = 0;  // 0: lasts `duration`
    std::chrono::milliseconds duration{0};
    std::uint64_t every = 1;
  };
  static Result<Step> ParseStep(std::string_view text);
  const Step* Current(MonoTime now);
  void Begin(std::size_t index, MonoTime at);

  std::mutex mutex_;
  std::vector<Step> steps_;
  bool repeat_ = false;
  std::size_t index_ = 0;
  std::uint64_t seen_ = 0;  // requests in the current step
  MonoTime began_{};
  std::optional<MonoTime> down_from_;
  std::optional<MonoTime> down_until_;
};

}  // namespace packhorse::cloud
