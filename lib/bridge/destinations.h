#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "auth/authorizer.h"
#include "base/clock.h"
#include "base/result.h"
#include "config/config.h"
#include "contract/cloud_contract.h"
#include "contract/cloud_library.h"
#include "delivery/delivery.h"
#include "health/growth.h"
#include "limit/announced_limits.h"
#include "queue/queue.h"
#include "upload/uploader.h"

namespace packhorse::bridge {

struct DestinationUnit {
  config::Destination config;
  std::unique_ptr<delivery::Destination> destination;
  auth::Authorizer* authorizer = nullptr;  // owned by `destination`
  // A pause as it was ordered, so that it survives a rebuild: its end, or none for "until resumed".
  bool paused = false;
  std::optional<MonoTime> paused_until;
  WallTime paused_since{};
  health::Growth growth = {};  // of what waits for it
};

// The destinations of the configuration in force, and what they share. Loop thread.
class Destinations {
 public:
  Destinations(queue::Queue& queue, upload::Uploader& uploader, health::Events& events, const Clock& clock)
      : queue_(queue), uploader_(uploader), events_(events), clock_(clock) {}
  Destinations(const Destinations&) = delete;
  Destinations& operator=(const Destinations&) = delete;

  // Enters the streams as the queue keeps them: those of `config`, which is in force, and those of before that stored
  // messages may need. REQUIRES: the queue knows the streams of `config`.
  Status BindStreams(const config::Config& config);
  const delivery::Streams& streams() const { return streams_; }
  // Shared limits that are new or differ from those of `before`; existing objects keep their address.
  void SetSharedLimits(const config::Config& before, const config::Config& config);
  // In the order of the configuration.
  std::vector<DestinationUnit>& units() { return units_; }
  const std::vector<DestinationUnit>& units() const { return units_; }
  // One that is not among them yet.
  Result<DestinationUnit> Make(const config::Gateway& gateway, const config::Destination& destination,
                               std::unique_ptr<auth::Authorizer> authorizer);
  // Null: there is none of that name.
  DestinationUnit* Find(const std::string& name);
  // Its cloud contract as it is configured; empty: there is none of that name.
  std::shared_ptr<const contract::CloudContract> ContractOf(const std::string& name);

 private:
  Status BindGapStreams(const config::Config& config);

  queue::Queue& queue_;
  upload::Uploader& uploader_;
  health::Events& events_;
  const Clock& clock_;
  std::map<std::string, limit::SharedLimits> shared_limits_;  // destinations point into it
  delivery::Streams streams_;                                 // destinations refer to it
  std::vector<DestinationUnit> units_;
};

// What a destination is by its configuration; its contracts are looked up.
Result<delivery::Options> DeliveryOptions(const config::Gateway& gateway, const config::Destination& destination);
// By what configuration and contract say together. Reads secrets.
Result<std::unique_ptr<auth::Authorizer>> MakeAuthorizer(const config::Gateway& gateway,
                                                         const config::Destination& destination,
                                                         const contract::CloudLibrary& contracts);

}  // namespace packhorse::bridge
