#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "record/raw_message.h"

namespace packhorse::ingest {

// What came and looks like a mistake of somebody's, with samples for people. Bounded. Plain values.
struct Oddities {
  static constexpr std::size_t kMaxSamples = 5;
  static constexpr std::size_t kMaxSampleBytes = 200;

  struct Seen {
    std::uint64_t messages = 0;
    std::vector<std::string> topics;  // some of them, each once
    void Note(std::string_view topic);
  };
  Seen unrouted;                            // no stream wants them
  std::uint64_t unrouted_but_for_dots = 0;  // of those: a stream would, were '.' and '/' the same
  std::map<StreamId, Seen> qos0;            // published without acknowledgement
};

}  // namespace packhorse::ingest
