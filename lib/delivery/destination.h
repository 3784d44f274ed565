#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "batch/turns.h"
#include "delivery/batch_builder.h"
#include "delivery/delivery.h"
#include "delivery/drain_rate.h"
#include "delivery/first_contact.h"
#include "outcome/outcome_rules.h"

namespace packhorse::delivery {

// A frozen batch on its way. Owned by its line; a callback that is still out shares it, so that the bytes being
// sent outlive a rebuilt destination.
struct Active {
  enum class State : std::uint8_t { kReady, kSending, kSettling };
  queue::FrozenBatch batch;
  State state = State::kReady;
  std::uint32_t attempts = 0;
  std::uint32_t deviations = 0;   // replies that were a success but none
  bool may_have_arrived = false;  // an attempt ended without a known outcome
  bool backlog = false;           // of the line of the backlog; after a restart all go in the other
  bool has_successors = false;    // settling into other batches: what is behind has to wait
  bool other_credential_tried = false;
  bool credentials_refreshed = false;
  std::uint64_t credential = 0;  // auth::Credentials::version() of the last attempt
  MonoTime not_before{};
};

class DestinationImpl final : public Destination {
 public:
  DestinationImpl(Options options, std::unique_ptr<auth::Credentials> credentials, Surroundings surroundings);

  // Takes up the frozen batches of an earlier run.
  Status Start();

  MonoTime Step(MonoTime now) override;
  void Flush() override { flush_ = true; }
  void Drain() override { draining_ = true; }
  bool idle() const override;
  void Nudge(MonoTime now) override;
  void Pause(std::optional<std::chrono::milliseconds> duration, MonoTime now) override;
  void Resume(MonoTime now) override;
  void ReplayDead(const std::vector<queue::DeadLetter>& letters,
                  std::function<void(Result<std::uint32_t>)> done) override;
  void RetryQuarantined(const std::vector<queue::QuarantinedMessage>& messages,
                        std::function<void(Result<Retried>)> done) override;
  DestinationStatus Snapshot(MonoTime now) const override;
  void TakeOver(const Destination& predecessor) override;

 private:
  using ActivePtr = std::shared_ptr<Active>;
  struct LineState {
    std::deque<ActivePtr> line;      // in the order in which they must be sent
    std::deque<ActivePtr> suspects;  // single records that were refused while nothing else was accepted
    bool freezing = false;
    MonoTime freeze_not_before{};
    std::optional<MonoTime> oldest_seen;  // when the oldest waiting message was first noticed
  };

  // Each returns when it wants to be called again.
  // What an outage left becomes the backlog as soon as it is over.
  void SplitAfterOutage();
  MonoTime PrepareLine(batch::Line at, MonoTime now);
  MonoTime FreezeWhenDue(batch::Line at, MonoTime now);
  MonoTime SendInTurn(MonoTime now);
  // When this batch may go as far as it depends on nothing but itself, and when the rate limits have room for it.
  MonoTime ReadyAt(const Active& active, MonoTime now) const;
  MonoTime AdmittedAt(const Active& active, MonoTime now) const;
  // The batch of a line that goes next; null while its line has to wait for another one's reply.
  static ActivePtr HeadOf(const LineState& line);

  queue::LanePart PartOf(batch::Line at) const;
  void WakeAt(queue::LanePart part, std::uint64_t messages);
  // Of a status that is otherwise complete.
  std::uint64_t BacklogMessages(const DestinationStatus& status) const;
  void StartFreeze(batch::Line at, MonoTime now);
  // The next batch of a replay, no faster than its rate.
  MonoTime FreezeReplay(MonoTime now);
  Result<queue::FreezeRequest> BuildReplay(const queue::Queue::ReplayTurn& turn);
  void Freeze(batch::Line at, queue::FreezeRequest request);
  batch::Options BatchLimits() const;
  void Send(const ActivePtr& active, MonoTime now);
  std::vector<std::pair<std::string, std::string>> Headers(const queue::FrozenBatch& batch) const;
  limit::Cost CostOf(const Active& active) const;

  // --- replies (replies.cpp) ---
  void OnResponse(const ActivePtr& active, upload::Response response);
  // A refusal of a secret that is no longer the one in use says nothing of the present one.
  bool RefusesAnOldSecret(const Active& active, int status) const;
  void NoteOddReply(const upload::Response& response);
  void Apply(const ActivePtr& active, const outcome::Verdict& verdict, int status, MonoTime now);
  void OnDelivered(const ActivePtr& active, const outcome::Verdict& verdict, int status, MonoTime now);
  void OnPartial(const ActivePtr& active, const outcome::Verdict& verdict, int status, MonoTime now);
  void OnTooLarge(const ActivePtr& active, const outcome::Verdict& verdict, int status, MonoTime now);
  void OnRefused(const ActivePtr& active, const outcome::Verdict& verdict, int status, MonoTime now);
  void OnUnauthorized(const ActivePtr& active, const outcome::Verdict& verdict, MonoTime now);
  void OnDeviation(const ActivePtr& active, const outcome::Verdict& verdict, MonoTime now);
  void Hold(const std::string& reason, MonoTime now);
  void Works(const outcome::Verdict& verdict, MonoTime now);
  // Records of it could not be rendered again: what is live waits for somebody to mend that, of a replay they count as
  // refused.
  void CannotRebuild(const ActivePtr& active, const Error& error, const outcome::Verdict& verdict, int status,
                     MonoTime now);
  bool Split(const ActivePtr& active, const outcome::Verdict& verdict, int status, MonoTime now);
  void Bury(const ActivePtr& active, std::string reason, const outcome::Verdict& verdict, int status, MonoTime now);
  void Settle(const ActivePtr& active, queue::Settlement settlement, MonoTime now);
  void OnSettled(const ActivePtr& active, std::vector<ActivePtr> successors,
                 const Result<std::vector<queue::BatchId>>& ids);
  queue::Settlement SettlementOf(const Active& active, const outcome::Verdict& verdict, int status) const;
  LineState& LineOf(const Active& active) {
    return StateOf(active.batch.replay != 0 ? batch::kReplayLine : batch::Line{active.batch.lane, active.backlog});
  }
  const LineState& StateOf(batch::Line at) const { return lines_[batch::IndexOf(at)]; }
  LineState& StateOf(batch::Line at) { return lines_[batch::IndexOf(at)]; }
  void BurySuspects(MonoTime now);

  Options options_;
  std::unique_ptr<auth::Credentials> credentials_;
  Surroundings around_;
  BatchBuilder builder_;
  limit::Gate gate_;
  limit::RetryBudget budget_;
  limit::RateLimit limits_;
  std::array<LineState, batch::kLines> lines_;
  batch::Turns turns_;
  FirstContact first_contact_;
  DrainRate drained_;     // of what Snapshot() calls the backlog
  bool was_away_ = true;  // since the last cut; before the start too
  std::uint32_t in_flight_ = 0;
  bool flush_ = false;
  bool draining_ = false;
  bool accepted_something_ = false;     // since the last time that records were refused one after the other
  std::uint64_t learnt_max_bytes_ = 0;  // uncompressed; 0: nothing learnt from a 413 yet
  double mean_record_bytes_ = 400;      // of rendered records, to estimate what waits

  // Since start.
  std::uint64_t requests_ = 0;
  std::uint64_t retries_ = 0;
  std::uint64_t possible_duplicates_ = 0;
  std::uint64_t records_delivered_ = 0;
  std::uint64_t bytes_sent_ = 0;
  std::map<std::string, std::uint64_t> replies_;
  health::Histogram latency_;
  std::optional<WallTime> last_success_at_;
  std::string last_error_;

  // Callbacks hold it weakly: after the destination is gone they do nothing.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace packhorse::delivery
