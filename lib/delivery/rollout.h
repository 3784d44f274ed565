#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "contract/cloud_contract.h"
#include "delivery/accepted_times.h"

namespace packhorse::delivery {

struct RolloutOptions {
  std::shared_ptr<const contract::CloudContract> contract;  // the newer one
  std::string coding;                                       // of its bodies; empty: none
  AcceptedTimes accepted;                                   // of its records, by their time
  std::vector<std::string> devices;                         // that go first
  std::vector<std::uint32_t> steps{1, 10, 50, 100};         // percent of all devices; rising, the last is 100
  std::chrono::milliseconds hold{3'600'000};                // of each step, at least
  std::uint64_t min_records = 100;                          // that a step has to get through
  double max_error_increase = 0.01;                         // share of what the newer one alone gets refused
};

enum class RolloutAction : std::uint8_t { kPause, kResume, kAdvance, kRollBack };

// Brings a newer contract of a destination into use: for named devices, then for a growing share of all. What the newer
// contract does not get through goes again by the present one at once, so both are compared on the same records at the
// same time. An error of the newer contract is a record that the present one got through, and it did not.
//
//   Rollout rollout(options, "acme@1.2");
//   if (rollout.Takes(record.device_id)) ...                // render it by the newer contract
//   rollout.NoteRequest(records);                           // a request by it has an answer
//   rollout.NoteFault(refused, of, words);                  // the present one got these through
//   if (rollout.Step(now) == Rollout::Change::kRolledBack)  // what is prepared by the newer one goes by the present
//   one
//
// Pure but for the time that it is given. Loop thread. Bounded: it keeps sums, and one text.
class Rollout {
 public:
  enum class State : std::uint8_t {
    kRunning,
    kPaused,      // the share stays; too many errors still end it
    kRolledBack,  // the present contract alone, until somebody advances it again
    kFinished,    // the newer contract alone, until the configuration says so
  };
  enum class Change : std::uint8_t { kNone, kAdvanced, kFinished, kRolledBack };

  // Of this step.
  struct Counts {
    std::uint64_t requests = 0;  // with an answer of the API
    std::uint64_t records = 0;   // that it took
    std::uint64_t faulty = 0;    // requests with errors
    double faults = 0;           // sum of the shares of their records

    bool operator==(const Counts&) const = default;
  };
  // For the next run. Of another rollout it says nothing.
  struct Kept {
    std::string present, newer;  // contracts
    State state = State::kRunning;
    std::uint32_t percent = 0;
    std::chrono::milliseconds held{};
    Counts counts;
    std::string reason;

    bool operator==(const Kept&) const = default;
  };
  struct Status {
    Kept now;
    std::size_t devices = 0;  // that are named
    double error_share = 0;
    double max_error_increase = 0;
    std::chrono::milliseconds hold{};
    std::uint64_t min_records = 0;
    std::string waits_for;  // what the next step needs; empty: nothing is awaited
  };

  Rollout(RolloutOptions options, std::string present);

  // Whether records of this device go by the newer contract while it runs. The same devices at each start, and those of
  // a step are among those of the next. What has no device goes last.
  bool Takes(std::string_view device) const;
  bool runs() const { return kept_.state == State::kRunning || kept_.state == State::kPaused; }
  State state() const { return kept_.state; }
  const RolloutOptions& options() const { return options_; }
  const std::string& newer() const { return kept_.newer; }

  // A request by the newer contract was answered: so many of its records were taken.
  void NoteRequest(std::uint32_t taken);
  // Of a request with `of` records the present contract got so many through that the newer one did not.
  void NoteFault(std::uint32_t records, std::uint32_t of, std::string_view words);
  // A record that only the present contract can write.
  void NoteUnfit(std::string_view words);

  // What is due now. To be called at least as often as next() says.
  Change Step(MonoTime now);
  // When the time of the step is over; none: it does not matter.
  std::optional<MonoTime> next(MonoTime now) const;
  // By hand. kInvalidArgument: it is finished.
  Result<Change> Do(RolloutAction action);

  Kept ToKeep() const { return kept_; }
  void Restore(const Kept& kept);
  Status Snapshot() const;

 private:
  bool TooManyErrors() const;
  double share() const;  // of what was asked: errors
  std::string WaitsFor() const;
  Change Advance();
  void RollBack(std::string reason);
  std::string WhyTooMany() const;

  RolloutOptions options_;
  Kept kept_;
  std::string last_words_;   // of what was refused
  std::uint32_t unfit_ = 0;  // since the last request
  std::optional<MonoTime> looked_at_;
};
// "running", "paused", "rolled_back", "finished".
std::string_view Name(Rollout::State state);
std::optional<Rollout::State> ParseRolloutState(std::string_view name);

}  // namespace packhorse::delivery
