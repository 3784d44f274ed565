#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "batch/lane_scheduler.h"
#include "batch/learnt_size.h"
#include "delivery/active.h"
#include "delivery/batch_builder.h"
#include "delivery/delivery.h"
#include "delivery/drain_rate.h"
#include "delivery/evidence.h"
#include "delivery/first_contact.h"
#include "delivery/id_hashes.h"
#include "delivery/inquirer.h"
#include "delivery/traffic.h"
#include "limit/concurrency.h"
#include "outcome/outcome_rules.h"

namespace packhorse::delivery {

class DestinationImpl final : public Destination {
 public:
  DestinationImpl(Options options, std::unique_ptr<auth::Authorizer> authorizer, Dependencies dependencies);

  // Takes up the prepared batches of an earlier run.
  Status Start();

  MonoTime Step(MonoTime now) override;
  void Flush() override { flush_ = true; }
  void Drain() override { draining_ = true; }
  bool idle() const override;
  void Nudge(MonoTime now) override;
  void Pause(std::optional<std::chrono::milliseconds> duration, MonoTime now) override;
  Pacing::Forgotten Resume(MonoTime now) override;
  void RedriveDead(const std::vector<queue::DeadLetter>& letters,
                   std::function<void(Result<std::uint32_t>)> done) override;
  void RetrySuspect(std::int64_t id, std::function<void(const Status&)> done) override;
  void RetryQuarantined(const std::vector<queue::QuarantinedMessage>& messages,
                        std::function<void(Result<Retried>)> done) override;
  Status ChangeRollout(RolloutAction action, MonoTime now) override;
  void Ask(Inquiry inquiry, MonoTime until, std::function<void(Result<upload::Response>)> done) override;
  DestinationStatus Snapshot(MonoTime now) const override;
  const Exchanges& exchanges() const override { return exchanges_; }
  void TakeOver(const Destination& predecessor) override;
  Kept ToKeep() const override;
  void Restore(const Kept& kept) override;

 private:
  BuilderOptions OptionsOfBuilder();
  void SplitAfterOutage();  // what it left becomes the backlog as soon as it is over
  MonoTime PrepareLine(batch::Line at, MonoTime now);
  MonoTime PrepareWhenDue(batch::Line at, MonoTime now);
  void AskInTurn(MonoTime now);
  bool TurnIsKnown(MonoTime now) const;
  MonoTime SendInTurn(MonoTime now);
  std::string Host() const;  // with its port
  bool HasPlace() const;
  void TakeOverBatches(const DestinationImpl& old);
  MonoTime ReadyAt(const Active& active, MonoTime now) const;
  std::optional<Pacing::Wait> WaitOf(const Active& active, MonoTime now) const;
  MonoTime SearchAdmittedAt(const limit::Cost& cost, MonoTime now) const;
  upload::Endpoint EndpointFor(const Active& active) const;
  void PrepareOther(batch::Line at, MonoTime now);
  void TellOfOthers(const Active& active, Attempt& attempt);
  queue::LanePart PartOf(batch::Line at) const;
  void WakeAt(queue::LanePart part, std::uint64_t messages);
  std::uint64_t BacklogMessages(const DestinationStatus& status) const;
  void StartPrepare(batch::Line at, bool newest, MonoTime now);
  MonoTime PrepareReplay(MonoTime now);
  Result<BatchBuilder::Built> BuildReplay(const queue::DeliveryPort::DueReplay& due);
  void Prepare(batch::Line at, bool newest, queue::PrepareRequest request);
  batch::Options ConfiguredLimits() const;
  batch::Options BatchLimits() const;
  std::size_t PeekMessages(const batch::Options& limits) const;
  void CountAttempt(const Active& active, MonoTime now);  // no part of the search: when it is made
  void CountSearch(const Active& active, MonoTime now);   // of the search: once it has failed
  bool DoubtsConnection(const Active& active) const;
  void Send(const ActivePtr& active, MonoTime now);
  std::vector<std::pair<std::string, std::string>> Headers(const queue::PreparedBatch& batch);
  const contract::CloudContract& ContractOf(const queue::PreparedBatch& batch);

  // --- what the link costs (metered.cpp) ---
  Status ReadProxyPassword();
  void LookAtBudget(MonoTime now);
  MonoTime OpenAt(Lane lane, MonoTime now) const;
  void TellBudgetSpent(const Active& active, MonoTime now);
  void AddCosts(DestinationStatus& status, MonoTime now) const;

  // --- records that are not sent (unfit.cpp) ---
  MonoTime SettleUnsent(MonoTime now);
  void SettleUnsent(const ActivePtr& active, MonoTime now);
  bool AddSuccessors(const ActivePtr& active, const std::map<std::string, std::vector<queue::Member>>& parts,
                     const Answer& answer, queue::Settlement& settlement, std::vector<ActivePtr>& successors);
  bool StillWaits(const queue::PreparedBatch& batch) const;
  bool IsOutdated(const Active& active);  // a record of it became too old while it waited (too_old.cpp)
  MonoTime LookAtTimes(MonoTime now);     // tells of records whose time is not taken
  void WarnOfAge();                       // of those that soon are too old

  // --- authentication (authorizing.cpp) ---
  MonoTime StepAuthorization(MonoTime now);
  bool RefreshSecrets();  // true: a value changed
  void AskForToken(MonoTime now);
  void OnTokenReply(const upload::Response& response);
  Result<upload::Request> RequestFor(const Active& active, MonoTime now);
  Result<upload::Request> Authorized(const Active& active, auth::OutgoingRequest request, MonoTime now);
  std::string ClockDoubt(const upload::Response& response) const;
  bool RefusesAnOldSecret(const Active& active, int status) const;
  void OnUnauthorized(const ActivePtr& active, const Answer& answer);

  // --- a newer contract (rolling_out.cpp) ---
  MonoTime StepRollout(MonoTime now);
  void EndNewerBatches(MonoTime now);
  void AfterRollout(Rollout::Change change);
  bool ByNewer(const Active& active) const { return rollout_ && active.batch.contract == rollout_->newer(); }
  bool TriesNewer(const Active& active) const;  // by the newer one, and the present one is there for what it fails at
  void NoteForRollout(Active& active, std::uint32_t taken);
  bool LeavesNewer(const ActivePtr& active, Fault fault, const Answer& answer);
  bool AddByPresent(const Active& active, const std::vector<queue::Member>& members,
                    const std::optional<SecondTry>& why, queue::Settlement& settlement,
                    std::vector<ActivePtr>& successors);

  // --- replies (replies.cpp) ---
  void OnResponse(const ActivePtr& active, upload::Response response);
  void NoteOddReply(const upload::Response& response);
  void NoteDeprecation(const outcome::Verdict& verdict);
  void TellOfVerdict(const Active& active, const outcome::Verdict& verdict);
  void Apply(const ActivePtr& active, Answer answer);
  void OnDelivered(const ActivePtr& active, const Answer& answer);
  std::optional<std::string> PassedNow(const Active& active, const outcome::Verdict* verdict, MonoTime now);
  void TellOfContradiction(const std::optional<std::string>& record_id);
  void OnPartial(const ActivePtr& active, Answer answer);
  void OnThrottled(const ActivePtr& active, const Answer& answer);
  void CountUnknown(Active& active);
  bool NameRefused(Active& active, const queue::Member& member, const std::string& words, const Answer& answer,
                   queue::Settlement& settlement);
  ActivePtr RestOf(const Active& active, const queue::PreparedBatch& batch, std::uint32_t delivered, MonoTime now);
  void Works(const Active& active, const Answer& answer);

  // --- what a second request confirms (confirming.cpp) ---
  void OnConfirm(const ActivePtr& active, const Answer& answer);
  MonoTime StepConfirmations(MonoTime now);
  MonoTime Confirm(const ActivePtr& active, MonoTime now);
  void OnConfirmReply(const ActivePtr& active, const SentRequest& sent, upload::Response response);

  // --- what is refused or fails (refusals.cpp) ---
  Attempt AttemptOf(const Active& active, Fault fault, const Answer& answer);
  void OnFault(const ActivePtr& active, Fault fault, const Answer& answer);
  // True: too many at once were refused.
  bool LearnConcurrency(const Active& active, const Answer& answer, std::chrono::microseconds elapsed);
  void LearnRate(const Active& active, const Answer& answer, bool too_many);
  bool GoesAgainAlone(Active& active, Fault fault, const Answer& answer);
  void LearnSize(const Active& active, Fault fault, const Answer& answer);
  void SetAside(const ActivePtr& active, Fault fault, const Answer& answer);
  void Bury(const ActivePtr& active, Fault fault, const Answer& answer);
  void SettleOne(const ActivePtr& active, queue::Settlement settlement, const Answer& answer);
  queue::Suspicion SuspicionOf(const Active& active, Fault fault, const std::string& words, const Answer& answer) const;
  void Hold(const std::string& reason, MonoTime now);
  void HoldForSuspects(LineState& line, MonoTime now);
  bool RoomForSuspects(std::size_t more) const;
  void NoteSample(const std::string& record_id, const std::string& words);
  std::string WhatIsRefused(MonoTime now) const;
  void TellSearchIsSlow(MonoTime now);
  void EndRefusals(MonoTime now);  // once the search was not slow for a while

  // --- suspects (suspects.cpp) ---
  Status LearnSuspects(bool adopt);
  MonoTime RetrySuspects(MonoTime now);
  Error MustNotOvertake() const;  // why nothing may be sent again out of its turn
  void StartRetry(std::int64_t id, const RecordKey& record, MonoTime now);
  MonoTime SendSuspect(MonoTime now);
  bool SuspectMayGo(MonoTime now) const;
  void AfterSuspects(MonoTime now);

  // --- what becomes of a batch in the queue (settling.cpp) ---
  void CannotRebuild(const ActivePtr& active, const Error& error, const Answer& answer);
  void Split(const ActivePtr& active, const Answer& answer);
  void Settle(const ActivePtr& active, queue::Settlement settlement, std::vector<ActivePtr> successors);
  void OnSettled(const ActivePtr& active, const std::vector<ActivePtr>& successors,
                 const Result<std::vector<queue::BatchId>>& ids);
  queue::Settlement SettlementOf(const Active& active, const Answer& answer) const;
  void TellOf(const Active& active, const queue::Settlement& settlement);
  void Tell(health::EventName name, std::string message);
  void Over(health::EventName name);
  LineState& LineOf(const Active& active) { return StateOf(LineNameOf(active)); }
  const LineState& StateOf(batch::Line at) const { return lines_[batch::IndexOf(at)]; }
  LineState& StateOf(batch::Line at) { return lines_[batch::IndexOf(at)]; }

  Options options_;
  std::unique_ptr<auth::Authorizer> authorizer_;
  MonoTime secrets_looked_at_{};
  Dependencies deps_;
  std::optional<Rollout> rollout_;
  bool rollout_told_ = false;  // its events are as its state says
  BatchBuilder builder_;
  limit::CircuitBreaker breaker_;
  limit::RetryBudget budget_;
  limit::Concurrency concurrency_;
  Pacing pacing_;
  std::optional<Pacing::Wait> waits_;          // of the batch that has the turn
  std::optional<std::uint64_t> bytes_wanted_;  // by the batch for which the budget had no room
  std::array<LineState, batch::kLines> lines_;
  batch::LaneScheduler scheduler_;
  FirstContact first_contact_;
  DrainRate drained_;            // of what Snapshot() calls the backlog
  bool was_away_ = true;         // since the last cut; before the start too
  std::uint32_t in_flight_ = 0;  // batches, and questions about them
  bool flush_ = false;
  bool draining_ = false;
  std::map<std::string, std::shared_ptr<const contract::CloudContract>> other_contracts_;  // null: not known
  bool parted_ = false;             // the contract makes one request per part
  double coded_share_ = 1;          // of a body's bytes that are left after its coding
  double mean_record_bytes_ = 400;  // of rendered records, to estimate what waits
  Evidence evidence_;
  batch::LearntSizes sizes_;
  limit::RetryBudget search_budget_;
  limit::RateLimit search_limits_;
  Random random_;
  std::map<RecordKey, std::int64_t> suspect_ids_;
  std::int64_t last_suspect_id_ = 0;
  std::deque<ActivePtr> trying_;   // suspects on their way: one, after a restart perhaps more
  bool taking_suspect_ = false;    // the next one is being taken out
  bool suspects_changed_ = false;  // some were set aside whose number is not known yet
  std::optional<MonoTime> refusals_told_at_;
  std::uint64_t requests_before_question_ = 0;
  std::uint32_t since_suspect_ = 0;  // requests since the last suspect's
  bool crowded_ = false;             // held for the number of suspects
  std::deque<std::string> samples_;  // of what was refused last
  TimesTold times_told_;
  Traffic traffic_;
  std::optional<WallTime> last_success_at_;
  std::string last_error_;
  Exchanges exchanges_;
  Deprecation deprecation_;
  IdHashes id_hashes_;
  Inquirer inquirer_;
  std::optional<WallTime> certificate_ends_;

  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // held weakly by callbacks: afterwards they do nothing
};

}  // namespace packhorse::delivery
