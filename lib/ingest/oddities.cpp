#include "ingest/oddities.h"

#include <algorithm>

#include "base/units.h"

namespace packhorse::ingest {

void Oddities::Seen::Note(std::string_view topic) {
  ++messages;
  if (topics.size() >= kMaxSamples) {
    return;
  }
  std::string sample = Shorten(topic, kMaxSampleBytes);
  if (std::find(topics.begin(), topics.end(), sample) == topics.end()) {
    topics.push_back(std::move(sample));
  }
}

}  // namespace packhorse::ingest
