#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "ingest/ingest.h"
#include "packhorsed/app.h"
#include "packhorsed/gaps.h"

namespace packhorse::daemon {

// What brokers and devices do to a source beyond being up or down (Watch looks at that): each becomes an event, and
// what was not received is told to the clouds. Loop thread, once a second.
class SourceEvents {
 public:
  SourceEvents(App& app, Gaps& gaps) : app_(app), gaps_(gaps) {}

  void Look(MonoTime now);

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
  void CheckOddities(SourceUnit& unit, const ingest::SourceStatus& status, MonoTime now);
  void NoteUnrouted(const std::string& source, const Odd& odd);
  void NoteQos0(const std::string& stream, const Odd& odd);
  void TellClouds(MonoTime now);

  App& app_;
  Gaps& gaps_;
  std::map<std::string, std::uint64_t> sessions_lost_;      // by source, as told
  std::map<std::pair<std::string, std::string>, Odd> odd_;  // by event and subject
  std::set<std::pair<std::uint64_t, std::string>> told_;    // blindness and destination
  std::map<std::uint64_t, MonoTime> unsure_;                // blindness that ended while the clock was not right
};

}  // namespace packhorse::daemon
