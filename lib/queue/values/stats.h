#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "queue/values/start_report.h"
#include "record/raw_message.h"

namespace packhorse::queue {

// Stats::full while the disk is: nothing is taken, what is queued goes out.
inline constexpr std::string_view kFullDisk = "disk";

struct Stats {
  std::string queue_id;
  std::uint64_t messages = 0;                    // stored and still needed
  std::uint64_t retained_messages = 0;           // stored besides, in segments that are only kept for replays
  std::uint64_t retained_bytes = 0;              // of those segments
  std::uint64_t released_messages = 0;           // since start: that made room before their time
  std::uint64_t bytes = 0;                       // pages of the database in use: what counts against Limits::max_bytes
  std::uint64_t most_waiting = 0;                // messages that wait for the destination for which most do
  std::map<std::string, std::uint64_t> pending;  // messages by destination, of those for which there are any
  std::string full;                              // the limit that is reached: "max_bytes", "max_records", or kFullDisk
  std::uint64_t payload_bytes_stored = 0;        // of the segments that are kept
  std::uint64_t segments = 0;
  WallTime oldest_at{};                    // received_at of the oldest message still needed; epoch when there is none
  std::uint64_t at_risk = 0;               // acknowledged messages that a power cut would cost right now
  std::chrono::nanoseconds at_risk_for{};  // since the oldest of them came
  std::uint64_t dead_letters = 0;
  std::uint64_t suspects = 0;  // records that are set aside
  std::uint64_t quarantined = 0;
  std::map<std::string, std::uint64_t> undecodable;  // of these, by stream: they wait for a definition
  std::uint64_t commits = 0;                         // since start, each with a sync
  std::uint64_t journal_bytes = 0;                   // in use
  std::string last_error;                            // of the store thread, empty when the last commit succeeded
  WallTime failing_since{};                          // epoch when not failing
  Replaced replaced;                                 // since start
  std::string damage;  // found in the database while it is open: a start anew salvages what is left
};

struct PendingStats {
  std::uint64_t messages = 0;           // not prepared yet
  std::uint64_t withheld = 0;           // besides: they wait for the clock, behind all the others
  std::uint64_t prepared_messages = 0;  // in batches that are not settled
  std::uint64_t set_aside = 0;          // of which a record is set aside, on its way again or not
  Sequence from = 1;                    // of those not prepared yet, the oldest ones that lie together, ...
  Sequence through = 0;                 // ... whose last number this is at least; none: before `from`
};

// What this boot's clock means for the stamps of messages that came before it was right.
struct BootClock {
  enum class State : std::uint8_t {
    kAwaited,    // not right yet: such messages wait, until clock_wait is over
    kLearnt,     // they are corrected
    kAsStamped,  // there are none
  };
  State state = State::kAsStamped;
  bool withholds = false;              // messages of this boot may not go out now
  std::chrono::microseconds offset{};  // of kLearnt: by how much the clock was put right since the queue was opened
};

}  // namespace packhorse::queue
