#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "delivery/delivery.h"
#include "health/growth.h"
#include "health/metrics.h"
#include "ingest/ingest.h"

namespace packhorse::monitor {

// Why the bridge, a source or a destination is not as it should be, in a sentence each. Pure functions; any thread.

struct Reason {
  std::string text;
  // The event that tells of the same, if there is one: it is not told twice, and acknowledging it silences both.
  const health::EventKind* event = nullptr;
  std::string subject;
  bool degrades = true;
};

// "destination 'cloud' is held since 2026-..Z: HTTP 404": `since` and `reason` are left out where there is none.
std::string Since(WallTime since);
std::string Because(std::string_view reason);

// A destination is looked at over time, too.
struct Course {
  std::optional<health::Growth::Grown> growth;  // of what waits
  std::chrono::seconds running{};               // since the daemon started
};

// It sends, if only as fast as it may.
bool CanDeliver(const delivery::DestinationStatus& destination);

std::vector<Reason> ReasonsOf(const ingest::SourceStatus& source);
std::vector<Reason> ReasonsOf(const delivery::DestinationStatus& destination, const Course& course);

}  // namespace packhorse::monitor
