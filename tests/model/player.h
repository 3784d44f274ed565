#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "model.h"
#include "support/manual_clock.h"
#include "support/process.h"

namespace packhorse::queue::model {

constexpr std::size_t kMaxMoments = 400;

// What outlives the process under test: lies in memory shared with the one that watches.
struct Shared {
  std::uint32_t moments;       // states of the model, one per step that moved something
  std::uint32_t safe;          // the newest of them that a crash must not undo
  std::uint32_t checkpointed;  // likewise a power cut
  std::uint32_t serial;        // of messages and batches
  char queue_id[16];           // under which numbers are given
  Sequence highest[3];         // that was given under it, by lane
  std::int64_t clock;          // microseconds
  std::uint32_t step;          // of the process, from 1; 0: it opens the queue
  std::uint32_t at_risk;       // messages, as the queue says, after the step that made the moment `at_risk_at`
  std::uint32_t at_risk_at;
  // As it was when the power was cut: the process may have gone on for a while and did not know.
  struct Cut {
    bool happened;
    std::uint32_t checkpointed;
    std::uint32_t at_risk;
    std::uint32_t at_risk_at;
  } cut;
  bool lake_tried;     // a process that crashed meanwhile may or may not have begun it
  bool disk_fails;     // a new configuration may be refused
  bool released;       // what is kept for replays may be gone
  char failure[2048];  // empty: none
  Model progress[kMaxMoments];
};

enum class Found : std::uint8_t { kNew, kAfterEnd, kAfterCrash, kAfterPowerCut };
enum class End : std::uint8_t { kOrderly, kCrash, kCrashInCheckpoint };

// One process: opens the queue, compares it with what it must hold, does random things to both, and ends.
class Player {
 public:
  Player(Shared& shared, Options options, std::uint64_t seed);
  // Called after every step, and at the end with `last`: the process may end in it.
  void AfterStep(std::function<void(bool last)> call) { after_step_ = std::move(call); }
  // Returns only after an orderly end.
  void Live(Found found, End end, unsigned steps);

 private:
  using Ids = std::vector<BatchId>;

  std::uint64_t Random(std::uint64_t below) {
    return std::uniform_int_distribution<std::uint64_t>(0, below - 1)(random_);
  }
  bool OneIn(std::uint64_t chances) { return Random(chances) == 0; }
  Model& now() { return shared_.progress[shared_.moments - 1]; }
  // The state as it is becomes the past; changes go into the copy.
  void Commit(const Model& next, bool waited);
  [[noreturn]] void Fail(const std::string& what);
  void Require(bool holds, const std::string& what) {
    if (!holds) {
      Fail(what);
    }
  }
  void Advance(std::int64_t microseconds);

  void OpenAndCompare(Found found);
  void NoteId(Found found);
  void CompareIds(const Model& progress);
  void Matched(const Model& progress, bool sure, const Shared::Cut& cut);
  void NoteRisk();
  Observation Observe();
  std::string BeginLake(Model& progress, bool sure, const Observation& seen);
  void Step();
  void Append();
  void CountOnArrival();
  void Split();
  void PeekAndCompare();
  void Prepare();
  void Settle();
  void Replay();
  void GiveUp();
  void Reconfigure();
  void CountAhead();
  void Verify();
  // --- player_suspects.cpp ---
  std::vector<std::string> ObserveSuspects();
  // False: another record of the message is set aside there.
  bool SetAside(Message& message, const Batch& batch, std::uint8_t record, Settlement& settlement);
  void MoveSuspect();
  void RejectOldSuspects(const std::vector<Suspect>& before, std::int32_t oldest_hour);
  bool GiveUpSuspect(Model& next, std::size_t destination, const GivenUp& given_up);
  // --- player_replay.cpp ---
  void CompareRetained();
  void SettleReplayed(std::size_t destination);
  void SendAgain();

  std::unique_ptr<PreparedBatch> Build(const Model& model, Batch& batch, std::size_t destination, Lane lane);
  void AddMessage(Batch& batch, std::uint16_t message, std::uint8_t first, std::uint8_t records);
  void SettlePart(Model& next, const Batch& batch, const Part& part, unsigned manner, Settlement& settlement,
                  Batch& later);
  template <typename T>
  T Await(std::optional<Result<T>>& result, const char* what);

  Shared& shared_;
  Options options_;
  std::mt19937_64 random_;
  std::function<void(bool)> after_step_ = [](bool) {};
  std::vector<std::uint16_t> held_;  // messages that stay until the lake begins
  test::ManualClock clock_;
  std::unique_ptr<Queue> queue_;
};

template <typename T>
T Player::Await(std::optional<Result<T>>& result, const char* what) {
  Require(test::WaitFor([&] {
            queue_->Poll();
            return result.has_value();
          }),
          std::string(what) + ": no answer");
  Require(result->has_value(), std::string(what) + ": " + (*result ? "" : result->error().message));
  return **result;
}

}  // namespace packhorse::queue::model
