// A newer contract comes into use (rollout.h): what it does not get through goes by the present one.

#include <algorithm>
#include <iterator>
#include <utility>

#include "delivery/destination.h"
#include "health/log.h"

namespace packhorse::delivery {
namespace {

// What may be an outage is tried once more before the contract is suspected.
constexpr std::uint32_t kTriesByNewer = 2;
// What may be an outage is none where the present contract gets through right after it: later it may be over.
constexpr std::chrono::seconds kAtOnce{2};

bool MayBeAnOutage(Fault fault) {
  return fault == Fault::kFails || fault == Fault::kConflict || fault == Fault::kTimesOut;
}

std::string SharesOf(const Rollout::Kept& kept) {
  return kept.percent == 0 ? "the devices that are named" : std::to_string(kept.percent) + " % of the devices";
}

}  // namespace

MonoTime DestinationImpl::StepRollout(MonoTime now) {
  if (rollout_) {
    AfterRollout(rollout_->Step(now));
  }
  if (!std::exchange(rollout_told_, true)) {
    const Rollout::Kept kept = rollout_ ? rollout_->ToKeep() : Rollout::Kept{};
    const WallTime wall = deps_.clock.Wall();
    deps_.events.Follow(
        kept.state == Rollout::State::kRolledBack, "rollout_rolled_back", options_.name,
        "the contract " + kept.newer + " is not used any more, " + kept.present + " sends everything: " + kept.reason,
        wall);
    deps_.events.Follow(kept.state == Rollout::State::kFinished, "rollout_finished", options_.name,
                        "all devices are sent by " + kept.newer + ": write \"contract\": \"" + kept.newer +
                            "\" into the configuration of the destination, and take \"rollout\" out",
                        wall);
  }
  if (!rollout_) {
    return now + kIdle;
  }
  if (rollout_->state() == Rollout::State::kRolledBack) {
    EndNewerBatches(now);
  }
  return rollout_->next(now).value_or(now + kIdle);
}

// What is prepared by the newer contract goes by the present one, in its place.
void DestinationImpl::EndNewerBatches(MonoTime now) {
  std::vector<ActivePtr> newer;
  for (const LineState& line : lines_) {
    std::copy_if(line.line.begin(), line.line.end(), std::back_inserter(newer), [this](const ActivePtr& active) {
      return active->state == Active::State::kReady && !active->stays_newer && ByNewer(*active);
    });
  }
  Answer answer;
  answer.now = now;
  for (const ActivePtr& active : newer) {
    queue::Settlement settlement = SettlementOf(*active, answer);
    std::vector<ActivePtr> successors;
    if (AddByPresent(*active, active->batch.members, std::nullopt, settlement, successors)) {
      traffic_.possible_duplicates += active->may_have_arrived ? 1U : 0U;
      Settle(active, std::move(settlement), std::move(successors));
    } else {
      active->stays_newer = true;
    }
  }
}

void DestinationImpl::AfterRollout(Rollout::Change change) {
  if (change == Rollout::Change::kNone) {
    return;
  }
  rollout_told_ = false;
  const Rollout::Kept kept = rollout_->ToKeep();
  health::Log(health::LogLevel::kInfo, "rollout_changed",
              "the newer contract is " + std::string(Name(kept.state)) + ", for " + SharesOf(kept),
              {{"destination", options_.name}, {"contract", kept.newer}});
}

Status DestinationImpl::ChangeRollout(RolloutAction action, MonoTime now) {
  if (!rollout_) {
    return Error{ErrorCode::kNotFound, "destination '" + options_.name + "' has no rollout"};
  }
  AfterRollout(rollout_->Step(now));
  const Result<Rollout::Change> change = rollout_->Do(action);
  RETURN_IF_ERROR(change);
  AfterRollout(*change);
  return {};
}

void DestinationImpl::NoteForRollout(Active& active, std::uint32_t taken) {
  if (!rollout_ || !rollout_->runs()) {
    return;
  }
  if (active.second_try) {
    const SecondTry& tried = *active.second_try;
    if (tried.definite || (active.attempts == 1 && active.tried_at - tried.refused_at < kAtOnce)) {
      rollout_->NoteFault(taken, tried.of, tried.words);
    }
    active.second_try.reset();
  } else if (ByNewer(active)) {
    rollout_->NoteRequest(taken);
  }
}

bool DestinationImpl::TriesNewer(const Active& active) const {
  return ByNewer(active) && rollout_->state() != Rollout::State::kFinished;
}

bool DestinationImpl::LeavesNewer(const ActivePtr& active, Fault fault, const Answer& answer) {
  if (active->second_try && fault != Fault::kThrottled && (!MayBeAnOutage(fault) || !active->second_try->definite)) {
    // Neither gets it through: that says nothing of the newer contract.
    active->second_try.reset();
  }
  if (!TriesNewer(*active) || active->stays_newer || active->suspicion || fault == Fault::kThrottled ||
      (fault == Fault::kTooLarge && !active->alone())) {
    return false;
  }
  const bool unknown = fault == Fault::kTimesOut && active->may_have_arrived;
  if ((MayBeAnOutage(fault) && active->attempts < kTriesByNewer && rollout_->runs()) ||
      (unknown && !ContractOf(active->batch).recognises_records())) {
    return false;
  }
  queue::Settlement settlement = SettlementOf(*active, answer);
  std::vector<ActivePtr> successors;
  const SecondTry why{active->batch.records, !MayBeAnOutage(fault), WordsOf(answer.verdict), answer.now};
  if (!AddByPresent(*active, active->batch.members, why, settlement, successors)) {
    active->stays_newer = true;
    return false;
  }
  if (rollout_->runs()) {
    rollout_->NoteRequest(0);
  }
  if (answer.verdict.retry_after) {
    breaker_.Record(limit::Effect::kThrottled, answer.verdict.reason, answer.verdict.retry_after, answer.now,
                    deps_.clock.Wall());
  }
  traffic_.possible_duplicates += active->may_have_arrived ? 1U : 0U;
  Settle(active, std::move(settlement), std::move(successors));
  return true;
}

bool DestinationImpl::AddByPresent(const Active& active, const std::vector<queue::Member>& members,
                                   const std::optional<SecondTry>& why, queue::Settlement& settlement,
                                   std::vector<ActivePtr>& successors) {
  Result<std::vector<std::unique_ptr<queue::PreparedBatch>>> batches = builder_.ByPresent(active.batch, members);
  if (!batches) {
    return false;
  }
  for (auto& batch : *batches) {
    auto successor = std::make_shared<Active>();
    successor->batch = *batch;
    if (!batch->unsent()) {
      successor->second_try = why;
    }
    successors.push_back(std::move(successor));
    settlement.successors.push_back(std::move(batch));
  }
  return true;
}

}  // namespace packhorse::delivery
