#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "bridge/destinations.h"
#include "bridge/shadow_queue.h"
#include "config/config.h"
#include "contract/cloud_library.h"
#include "health/metrics.h"
#include "observer/observer.h"

namespace packhorse::bridge {

// What `status` shows of a shadow.
struct ShadowStatus {
  delivery::DestinationStatus destination;
  ShadowQueue::Counts counts;
};

// Destinations that get a copy of what arrives and owe nothing: outside of the queue, the ledger, the limits and the
// events (docs/decisions/0031). They take what the observer shows, as much as they have time and room for. Loop thread.
class Shadows {
 public:
  Shadows(const queue::Queue& queue, upload::Uploader& uploader, observer::Observer& observer,
          const Destinations& destinations, const Clock& clock)
      : queue_(queue), uploader_(uploader), observer_(observer), destinations_(destinations), clock_(clock) {}
  ~Shadows();
  Shadows(const Shadows&) = delete;
  Shadows& operator=(const Shadows&) = delete;

  // Those of this configuration, which is in force. One that did not change goes on; one that cannot be made is told
  // and left out.
  void Configure(const config::Config& config);
  // Each iteration; when to be called next.
  MonoTime Step(MonoTime now);
  // Something came for one of them since the last Step().
  bool fed() const { return fed_; }
  std::vector<ShadowStatus> Snapshot(MonoTime now) const;

 private:
  struct Shadow {
    config::Destination config;
    std::set<std::string> streams;
    std::unique_ptr<ShadowQueue> queue;
    std::unique_ptr<delivery::Destination> destination;  // gone before its queue
  };
  Result<Shadow> Make(const config::Gateway& gateway, const config::Destination& destination);
  void Note(const observer::Observation& observation);
  void FollowObserver();

  const queue::Queue& queue_;
  upload::Uploader& uploader_;
  observer::Observer& observer_;
  const Destinations& destinations_;
  const Clock& clock_;
  health::Events events_;  // of the shadows alone: what is wrong with one degrades nothing
  std::vector<Shadow> shadows_;
  config::Gateway gateway_;
  std::shared_ptr<const contract::CloudLibrary> contracts_;
  std::optional<observer::Observer::FollowerId> follows_;
  std::uint64_t shed_ = 0;  // by the observer, when it was looked at last
  bool fed_ = false;
};

}  // namespace packhorse::bridge
