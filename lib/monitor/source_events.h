#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "base/clock.h"
#include "config/config.h"
#include "health/metrics.h"
#include "ingest/ingest.h"
#include "monitor/gaps.h"
#include "queue/queue.h"

namespace packhorse::monitor {

// What brokers and devices do to a source beyond being up or down (Watch looks at that): each becomes an event, and
// what was not received is told to the clouds. Loop thread, once a second.
class SourceEvents {
 public:
  // `config` is the configuration in force: it changes in place.
  SourceEvents(queue::Queue& queue, ingest::Sessions& sessions, health::Events& events, const Clock& clock,
               const config::Config& config, Gaps& gaps)
      : queue_(queue), sessions_(sessions), events_(events), clock_(clock), config_(config), gaps_(gaps) {}

  // A source as it is now, and what was odd about its messages since it was looked at last.
  void Look(const ingest::SourceStatus& status, const ingest::Oddities& oddities, MonoTime now);
  // Tells the clouds what was not received. After the sources were looked at.
  void TellClouds(MonoTime now);

 private:
  // Over some minutes; a single stray message is everyday life.
  struct Odd {
    std::uint64_t messages = 0;
    std::uint64_t but_for_dots = 0;
    std::vector<std::string> topics;
    MonoTime last{};
  };
  void CheckPromises(const ingest::SourceStatus& status, WallTime now);
  void CheckSession(const ingest::SourceStatus& status);
  void CheckOddities(const ingest::SourceStatus& status, const ingest::Oddities& oddities, MonoTime now);
  void NoteUnrouted(const std::string& source, const Odd& odd);
  void NoteQos0(const std::string& stream, const Odd& odd);

  queue::Queue& queue_;
  ingest::Sessions& sessions_;
  health::Events& events_;
  const Clock& clock_;
  const config::Config& config_;
  Gaps& gaps_;
  std::map<std::string, std::uint64_t> sessions_lost_;      // by source, as told
  std::map<std::pair<std::string, std::string>, Odd> odd_;  // by event and subject
  std::set<std::pair<std::uint64_t, std::string>> told_;    // blindness and destination
  std::map<std::uint64_t, MonoTime> unsure_;                // blindness that ended while the clock was not right
};

}  // namespace packhorse::monitor
