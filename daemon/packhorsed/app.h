#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "base/wall_history.h"
#include "bridge/destinations.h"
#include "bridge/reload.h"
#include "bridge/shadows.h"
#include "bridge/sources.h"
#include "config/config.h"
#include "health/metrics.h"
#include "ingest/ingest.h"
#include "observer/observer.h"
#include "queue/queue.h"
#include "upload/uploader.h"

namespace packhorse::daemon {

// The composition root: from a checked configuration to objects that know each other. It decides nothing.

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
  health::Events events;
  WallHistory wall_history;  // times of events and states are shown by it
  std::unique_ptr<upload::Uploader> uploader;
  std::unique_ptr<queue::Queue> queue;
  std::shared_ptr<ingest::Sessions> sessions;
  std::unique_ptr<bridge::Destinations> destinations;
  std::unique_ptr<bridge::Sources> sources;
  std::unique_ptr<observer::Observer> observer;
  std::unique_ptr<bridge::Shadows> shadows;
};

// What there is before the queue is open.
Result<std::unique_ptr<App>> MakeApp(std::string file, config::Config config, const Clock& clock);
// Opens the queue of app.config. REQUIRES: it is not open.
Status OpenQueue(App& app);
// Builds everything that needs the queue; starts nothing that receives. REQUIRES: OpenQueue() succeeded. Once.
Status Assemble(App& app);

// What a reload of it changes. REQUIRES: it is assembled.
bridge::Bridge BridgeOf(App& app);

}  // namespace packhorse::daemon
