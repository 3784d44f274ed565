#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "config/config.h"
#include "ingest/ingest.h"
#include "queue/queue.h"

namespace packhorse::bridge {

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

// Also for units whose source could not be made.
ingest::SourceStatus StatusOf(const SourceUnit& unit);

// The sources of the configuration in force, and those that are on their way out. Loop thread.
class Sources {
 public:
  using TapPtr = std::shared_ptr<const ingest::Intake::Tap>;
  using Units = std::vector<std::unique_ptr<SourceUnit>>;

  // `wake` is called from threads of the MQTT client when a source wants the loop to look.
  Sources(queue::Queue& queue, std::shared_ptr<ingest::Sessions> sessions, std::function<void()> wake,
          const Clock& clock)
      : queue_(queue), sessions_(std::move(sessions)), wake_(std::move(wake)), clock_(clock) {}
  Sources(const Sources&) = delete;
  Sources& operator=(const Sources&) = delete;

  // In the order of the configuration.
  Units& units() { return units_; }
  const Units& units() const { return units_; }
  // Removed, and stopping (leaving.h).
  Units& leaving() { return leaving_; }
  const Units& leaving() const { return leaving_; }
  // Being emptied and ended, with one URL each.
  Units& old_sessions() { return old_sessions_; }
  const Units& old_sessions() const { return old_sessions_; }

  // Where the messages of this source go. REQUIRES: the queue knows the streams of `config`.
  Result<std::vector<ingest::Route>> RoutesOf(const config::Config& config, const std::string& source) const;
  // A unit with its intake, not yet started.
  Result<std::unique_ptr<SourceUnit>> Make(const config::Config& config, const config::Source& source) const;
  std::unique_ptr<ingest::Intake> MakeIntake(std::vector<ingest::Route> routes, const config::Source& source) const;
  // Makes and starts the connection; a failure is noted in the unit.
  void Start(SourceUnit& unit, MonoTime now) const;
  // What all intakes show their messages to, from now on; may be null.
  void SetTap(TapPtr tap);

  ingest::Sessions& sessions() const { return *sessions_; }
  const Clock& clock() const { return clock_; }

 private:
  ingest::SourceOptions OptionsOf(const SourceUnit& unit) const;

  queue::Queue& queue_;
  std::shared_ptr<ingest::Sessions> sessions_;
  std::function<void()> wake_;
  const Clock& clock_;
  TapPtr tap_;
  Units units_;
  Units leaving_;
  Units old_sessions_;
};

ingest::Limits LimitsOf(const config::Source& source);

}  // namespace packhorse::bridge
