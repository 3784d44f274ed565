#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "contract/cloud_contract.h"
#include "health/metrics.h"
#include "outcome/outcome_rules.h"
#include "reconcile/compare.h"
#include "reconcile/page.h"

namespace packhorse::reconcile {

// A destination that may be compared with its cloud.
struct Target {
  std::string name;
  std::shared_ptr<const contract::CloudContract> contract;
  contract::BatchHeader gateway;  // what it is called
  std::string url;
  std::chrono::milliseconds every{};  // 0: only when somebody asks
  std::set<std::string> replayable;   // streams of which delivered messages are kept
  SumPlaces sums = {};                // that are compared
};

// What a comparison needs of the bridge. Callbacks come on the loop thread, never from within the call.
class Surroundings {
 public:
  virtual ~Surroundings() = default;
  virtual std::vector<Target> Targets() = 0;
  // What is delivered by now, of the hours of [first, end).
  virtual void ReadLedger(const std::string& destination, std::int32_t first, std::int32_t end,
                          std::function<void(Result<DeliveredHours>)> done) = 0;
  virtual std::set<StreamHour> InBatches(const std::string& destination) = 0;
  // A reply whatever its status, or an error by `until`.
  virtual void Ask(const std::string& destination, contract::ReconcileRequest request, MonoTime until,
                   std::function<void(Result<outcome::Reply>)> done) = 0;
};

// What a comparison has found.
struct Report {
  enum class State : std::uint8_t { kEqual, kDiffers, kFailed, kNotOffered };
  std::string destination;
  State state = State::kFailed;
  std::string problem;  // kFailed, kNotOffered: why
  WallTime from{};      // what was compared
  WallTime to{};
  std::uint32_t pages = 0;
  Comparison found = {};
};
std::string_view Name(Report::State state);
std::string_view Name(Difference::What what);
// The command that sends again what a cloud lacks; empty: sending again does not help, as where it has more, or knows
// the same records with other values.
std::string ReplayCommand(const std::string& destination, const Difference& difference);
// "2026-11-20T09:00:00Z"
std::string HourText(std::int32_t hour);
// "telemetry, hour 2026-11-20T09:00:00Z: 3600 records were delivered, the cloud has 3599": for people.
std::string Sentence(const Difference& difference);

// What should not be forgotten at a restart, of one destination.
struct KeptRun {
  WallTime last_at{};
  bool differed = false;
  std::int32_t since = 0;  // hours before it were delivered elsewhere or under another gateway id
  std::string url = {};
  std::string gateway = {};
  bool operator==(const KeptRun&) const = default;
};

// Compares with the clouds what was delivered to them: each destination whose contract offers it once in
// Target::every, and whenever somebody asks. One comparison at a time. Each difference is an event, which ends when a
// later comparison finds both sides equal. Bounded: kMaxPages pages, kMaxHours hours, an hour for all of it. Loop
// thread.
class Reconciler {
 public:
  using Done = std::function<void(const Report&)>;
  static constexpr std::size_t kMaxWaiting = 64;
  static constexpr std::size_t kMaxEvents = 50;  // of a destination

  Reconciler(Surroundings& surroundings, health::Events& events, const Clock& clock, std::uint64_t seed);

  // Compares a destination as soon as it is its turn: the hours that [from, to) touches, or without them all that the
  // API knows of, up to the present hour. kNotFound: there is no such destination; kBusy: too many wait.
  Status Start(const std::string& destination, std::optional<WallTime> from, std::optional<WallTime> to, Done done);
  // Begins what is due, and ends what takes too long. When to be called next.
  MonoTime Step(MonoTime now);

  const std::map<std::string, KeptRun>& kept() const { return kept_; }
  void Restore(std::map<std::string, KeptRun> kept) { kept_ = std::move(kept); }

 private:
  struct Wanted {
    std::string destination;
    std::optional<WallTime> from;
    std::optional<WallTime> to;
    Done done;
  };
  struct Run;
  using RunPtr = std::shared_ptr<Run>;

  void Begin(const Target& target, Wanted wanted, MonoTime now);
  // Reads what is written down into a part of the run, and goes on with `then`; or ends the run.
  void ReadLedger(const RunPtr& run, DeliveredHours Run::*into, std::function<void()> then);
  void AskPage(const RunPtr& run, std::string cursor);
  bool TriesAgain(const RunPtr& run, const Result<outcome::Reply>& reply);
  void OnReply(const RunPtr& run, const Result<outcome::Reply>& reply);
  void OnCounted(const RunPtr& run);
  void End(const RunPtr& run, Report::State state, std::string problem);
  void Tell(const Run& run);
  void FollowTargets(const std::vector<Target>& targets);
  bool Due(const Target& target, MonoTime now) const;

  Surroundings& surroundings_;
  health::Events& events_;
  const Clock& clock_;
  const MonoTime first_at_;  // the daily ones begin
  MonoTime next_look_{};
  std::deque<Wanted> waiting_;
  RunPtr run_;
  std::map<std::string, KeptRun> kept_;
  std::map<std::string, std::set<StreamHour>> open_;  // of which there are events
  std::map<std::string, MonoTime> failed_at_;
  std::set<std::string> seen_equal_or_told_;                    // compared since the start
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // callbacks hold it weakly
};

}  // namespace packhorse::reconcile
