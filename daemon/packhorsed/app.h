#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "auth/credentials.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/wall_history.h"
#include "config/config.h"
#include "delivery/delivery.h"
#include "health/growth.h"
#include "health/metrics.h"
#include "ingest/ingest.h"
#include "limit/rate_limit.h"
#include "observer/observer.h"
#include "queue/queue.h"
#include "upload/uploader.h"

namespace packhorse::daemon {

// The composition root: from a checked configuration to objects that know each other. It decides nothing.

// A configured source. While it could not even be made (say, its CA file is gone), `source` is null and the loop tries
// again at `retry_at`; nothing else waits for it.
struct SourceUnit {
  config::Source config;
  std::vector<std::string> filters;
  bool wants_retained = true;
  std::unique_ptr<ingest::Intake> intake;  // before `source`: it must outlive it
  std::unique_ptr<ingest::Source> source;
  std::string error;
  WallTime since{};
  bool drain = false;        // what a session of an earlier configuration holds, no source of this one
  bool leaving = false;      // its source is stopping (leaving.h)
  std::string connected_as;  // the client id of `source`
  MonoTime retry_at{};
};

struct DestinationUnit {
  config::Destination config;
  std::unique_ptr<delivery::Destination> destination;
  auth::Credentials* credentials = nullptr;  // owned by `destination`
  // A pause as it was ordered, so that it survives a rebuild: its end, or none for "until resumed".
  bool paused = false;
  std::optional<MonoTime> paused_until;
  WallTime paused_since{};
  health::Growth growth = {};  // of what waits for it
};

// Everything the daemon is made of, in the order in which it is built; torn down the other way round. Loop thread,
// except where a member says otherwise.
struct App {
  App(std::string file, config::Config checked, const Clock& the_clock);
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  const Clock& clock;
  std::string config_file;
  config::Config config;  // the one in force
  WallTime started_at;
  MonoTime started;
  std::uint64_t reloads = 0;  // configurations that took the place of the one before
  health::Events events;
  WallHistory wall_history;  // times of events and states are shown by it
  std::unique_ptr<upload::Uploader> uploader;
  std::unique_ptr<queue::Queue> queue;
  std::shared_ptr<ingest::Sessions> sessions;
  std::map<std::string, limit::RateLimit> shared_limits;  // destinations point into it
  delivery::Streams streams;                              // destinations refer to it: changed in place only
  std::vector<DestinationUnit> destinations;
  std::vector<std::unique_ptr<SourceUnit>> sources;
  std::vector<std::unique_ptr<SourceUnit>> leaving_sources;  // removed, and stopping (leaving.h)
  std::vector<std::unique_ptr<SourceUnit>> old_sessions;     // being emptied and ended, with one URL each
  std::shared_ptr<const ingest::Intake::Tap> tap;            // what new intakes are given, may be null
  std::unique_ptr<observer::Observer> observer;
};

// What there is before the queue is open.
Result<std::unique_ptr<App>> MakeApp(std::string file, config::Config config, const Clock& clock);
// Opens the queue of parts.config. REQUIRES: it is not open.
Status OpenQueue(App& app);
// Builds everything that needs the queue; starts nothing that receives. REQUIRES: OpenQueue() succeeded. Once.
Status Assemble(App& app);

queue::Limits QueueLimits(const config::Queue& config);
// The cloud contract of a destination as it is configured; empty: there is none of that name.
std::string ContractOf(const App& app, const std::string& destination);
std::vector<queue::StreamOptions> QueueStreams(const config::Config& config);
std::vector<queue::DestinationOptions> QueueDestinations(const config::Config& config);

// Enters the streams into parts.streams, as the queue keeps them: those of `config`, which is in force, and those of
// before that stored messages may need. REQUIRES: the queue knows the streams of `config`.
Status BindStreams(App& app, const config::Config& config);
// Shared limits that are new or differ; existing objects keep their address.
void SetSharedLimits(App& app, const config::Config& config);

Result<std::unique_ptr<auth::Credentials>> MakeCredentials(const config::Destination& destination);
Result<DestinationUnit> MakeDestination(App& app, const config::Gateway& gateway,
                                        const config::Destination& destination,
                                        std::unique_ptr<auth::Credentials> credentials);

// Whether any stream of this source does something with retained messages.
bool WantsRetained(const config::Config& config, const std::string& source);
// REQUIRES: the queue knows the streams of `config`.
Result<std::vector<ingest::Route>> RoutesOf(const App& app, const config::Config& config, const std::string& source);
ingest::Limits LimitsOf(const config::Source& source);
// A unit with its intake, not yet started.
Result<std::unique_ptr<SourceUnit>> MakeSourceUnit(const App& app, const config::Config& config,
                                                   const config::Source& source);
// Makes and starts the connection; a failure is noted in the unit.
void StartSource(const App& app, SourceUnit& unit, MonoTime now);

// Also for units whose source could not be made.
ingest::SourceStatus StatusOf(const SourceUnit& unit);

}  // namespace packhorse::daemon
