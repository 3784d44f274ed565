#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "bridge/destinations.h"
#include "bridge/sources.h"
#include "config/config.h"
#include "health/metrics.h"
#include "queue/queue.h"

namespace packhorse::bridge {

// A contract or a table that was refused at a reload whose configuration could do without it.
struct RefusedReport {
  std::string name;                   // contract::RefusedFile
  bool kept = false;                  // what was read before stays in force
  std::vector<std::string> mistakes;  // all of them, one line each
};

// What became of a reload.
struct ReloadReport {
  bool applied = false;
  std::vector<std::string> problems;        // why not; or, when applied, warnings and what needs a restart
  std::vector<std::string> changes;         // what is different now, one line each
  std::vector<RefusedReport> refused = {};  // though the rest was applied
};

// What a reload changes.
struct Bridge {
  config::Config& config;  // the one in force
  queue::Queue& queue;
  Destinations& destinations;
  Sources& sources;
  health::Events& events;
  const Clock& clock;
};

// Changes the configuration under a running bridge: everything is checked first, and on any error the old one stays in
// force. For a destination with `start: oldest` what is stored is counted then, a piece each iteration, while all goes
// on as before. Destinations whose settings change (or that go) finish what is in flight, then give way; their prepared
// batches are in the queue, and the successor sends the same bytes. What did not change keeps running and is nudged, so
// that a held destination probes at once. Loop thread.
class Reloader {
 public:
  using Done = std::function<void(const ReloadReport&)>;
  // Loads and checks a configuration.
  using Load = std::function<config::Loaded(const std::string& file)>;

  Reloader(Bridge bridge, std::string file, Load load);
  ~Reloader();

  // Loads the configuration. `done` runs now or in a later Step(). REQUIRES: !active().
  void Begin(Done done, MonoTime now);
  // The same with the configuration and the contracts in force, and the tables of `folder` as they are now. Nothing
  // happens, and `done` does not run, where they say what they said before. REQUIRES: !active().
  void BeginTables(const std::string& folder, Done done, MonoTime now);
  // Goes on: counts, waits until nothing is in flight any more that must not be, then changes. Call each iteration.
  // When to be called next.
  MonoTime Step(MonoTime now);
  // The daemon ends: forgets what has not been applied. Who asked for it sees the connection end.
  void Stop();
  bool active() const { return next_ != nullptr; }
  // Configurations that took the place of the one before.
  std::uint64_t applied() const { return applied_; }

 private:
  struct Next;

  // `subject`: of the event that tells of a refusal.
  void BeginWith(config::Loaded loaded, const std::shared_ptr<const contract::CloudLibrary>& contracts,
                 const std::string& subject, Done done, MonoTime now);
  void Refuse(std::vector<std::string> problems, const std::string& subject, const Done& done);
  // Back to the old configuration, wherever it has come to.
  void GiveUp(const Next& next, const Error& because, MonoTime now);
  void Drain(Next& next);
  Status Apply(Next& next, MonoTime now);
  // ", and how many messages": empty when there are none.
  std::string WaitsFor(const std::string& destination);
  Status ReplaceDestinations(Next& next, MonoTime now);
  void ReplaceSources(Next& next);
  void ReplaceSource(Next& next, SourceUnit& unit, std::unique_ptr<SourceUnit> fresh);
  // After a failure half way: the old configuration's streams, and new objects for destinations that were drained.
  std::vector<std::string> Restore(const Next& next, MonoTime now);
  void Finish(Next& next);

  const Bridge bridge_;
  const std::string file_;
  const Load load_;
  std::uint64_t applied_ = 0;
  std::unique_ptr<Next> next_;
};

}  // namespace packhorse::bridge
