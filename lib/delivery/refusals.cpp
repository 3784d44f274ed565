// What is refused or fails: carries out what the evidence says (evidence.h).

#include <algorithm>
#include <cmath>
#include <utility>

#include "delivery/destination.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMaxSuspects = 1'000;
constexpr std::size_t kSamples = 3;
// Until what else there is has been tried; more than an iteration of the loop takes to find it.
constexpr auto kAfterOther = 1s;
constexpr auto kTellAgain = 1min;
constexpr int kStatusGatewayTimeout = 504;
constexpr double kPercent = 100.0;

}  // namespace

Attempt DestinationImpl::AttemptOf(const Active& active, Fault fault, const Answer& answer) {
  Attempt attempt;
  attempt.fault = fault;
  attempt.first = active.first();
  attempt.records = active.batch.records;
  attempt.culprit = answer.culprit;
  // What was refused before says nothing new of the destination.
  attempt.suspect = active.suspicion.has_value() || (active.batch.replayed && active.alone() && Definite(fault));
  attempt.connection = answer.connection;
  TellOfOthers(active, attempt);
  attempt.may_overtake = !options_.keeps_order;
  attempt.may_split = ContractOf(active.batch).recognises_records() || !active.may_have_arrived;
  return attempt;
}

void DestinationImpl::OnFault(const ActivePtr& active, Fault fault, const Answer& answer) {
  const outcome::Verdict& verdict = answer.verdict;
  last_error_ = verdict.reason;
  LearnSize(*active, fault, answer);
  if (fault == Fault::kTimesOut) {
    ++active->unknown_outcomes;
  }
  if (LeavesNewer(active, fault, answer)) {
    return;
  }
  if (active->search()) {
    CountSearch(*active, answer.now);
  }
  if (active->batch.replay != 0 && active->alone() && Definite(fault)) {
    // It was accepted once: perhaps just that is the reason. Nothing is lost by it, and nothing else has to wait.
    Bury(active, fault, answer);
    return;
  }
  if (GoesAgainAlone(*active, fault, answer)) {
    return;
  }
  const Ruling ruling = evidence_.Failed(AttemptOf(*active, fault, answer), active->track, answer.now);
  LineState& line = LineOf(*active);
  if (!active->suspicion) {
    line.wants = evidence_.wants();
  }
  switch (ruling) {
    case Ruling::kWait:
      active->not_before = answer.now + options_.breaker.backoff_max;
      Tell(
          "lane_waits",
          "lane " + std::string(Name(active->batch.lane)) + ": " + std::to_string(active->batch.records) +
              " records are refused or do not get through, and must neither be split nor overtaken: " + verdict.reason);
      break;
    case Ruling::kRetry:
      breaker_.Record(fault == Fault::kThrottled ? limit::Effect::kThrottled : limit::Effect::kTransient,
                      verdict.reason, verdict.retry_after, answer.now, deps_.clock.Wall());
      break;
    case Ruling::kTryOther:
      active->not_before = answer.now + kAfterOther;
      active->waits_for_other = true;
      break;
    case Ruling::kSplit:
      Split(active, answer);
      break;
    case Ruling::kSetAside:
      SetAside(active, fault, answer);
      break;
    case Ruling::kBury:
      Bury(active, fault, answer);
      break;
    case Ruling::kHold:
      Hold(Definite(fault) ? "every record is refused: " + verdict.reason : verdict.reason, answer.now);
      break;
  }
  const bool asks_to_wait = verdict.retry_after || fault == Fault::kThrottled;
  if (ruling != Ruling::kRetry && ruling != Ruling::kHold && asks_to_wait && !KnownToBeThrottled(*active)) {
    breaker_.Record(limit::Effect::kThrottled, verdict.reason, verdict.retry_after, answer.now, deps_.clock.Wall());
  }
}

// It failed beside others of its line. Whether that is its own fault or the destination's shows best without them: it
// goes again, alone, and nothing is concluded before. A refusal on its merits is clear, unless one came before it.
bool DestinationImpl::GoesAgainAlone(Active& active, Fault fault, const Answer& answer) {
  const bool splits = Definite(fault) && !active.alone() && !answer.culprit;
  const bool clear = Definite(fault) && !evidence_.refuses();
  if (!options_.any_order || GoesAlone(active) || splits || clear ||
      CountIn(LineOf(active), Active::State::kSending) == 0) {
    return false;
  }
  active.goes_alone = true;
  active.not_before = answer.now;
  const outcome::Verdict& verdict = answer.verdict;
  if (!Definite(fault) || verdict.retry_after) {
    breaker_.Record(
        fault == Fault::kThrottled || Definite(fault) ? limit::Effect::kThrottled : limit::Effect::kTransient,
        verdict.reason, verdict.retry_after, answer.now, deps_.clock.Wall());
  }
  return true;
}

// What did not fit, or did not get through in time, makes the next batches smaller.
void DestinationImpl::LearnSize(const Active& active, Fault fault, const Answer& answer) {
  const bool too_slow = answer.transport == upload::Transport::kTimeout || answer.status == kStatusGatewayTimeout;
  // A connection that ends while the same request is sent, again: some proxies answer so to what is too large.
  const bool cut_again = active.attempts > 1 && (answer.transport == upload::Transport::kSendFailed ||
                                                 answer.transport == upload::Transport::kReset);
  if (active.batch.records > 1 && (fault == Fault::kTooLarge || too_slow || cut_again)) {
    sizes_.records.TooMuch(active.batch.item_count(), answer.now);
    sizes_.bytes.TooMuch(active.batch.uncompressed_bytes, answer.now);
  }
}

queue::Suspicion DestinationImpl::SuspicionOf(const Active& active, Fault fault, const std::string& words,
                                              const Answer& answer) const {
  const WallTime wall = deps_.clock.Wall();
  queue::Suspicion suspicion = active.suspicion.value_or(queue::Suspicion{});
  suspicion.reason = Name(fault);
  suspicion.detail = words;
  suspicion.provider_request_id = answer.verdict.provider_request_id;
  suspicion.http_status = answer.status;
  if (suspicion.refusals++ == 0) {
    suspicion.first_refused_at = wall;
  }
  suspicion.last_refused_at = wall;
  return suspicion;
}

void DestinationImpl::SetAside(const ActivePtr& active, Fault fault, const Answer& answer) {
  const RecordKey record = answer.culprit.value_or(active->first());
  if (active->batch.replay != 0) {
    evidence_.Forget(record);
    Bury(active, fault, answer);
    return;
  }
  if (!active->suspicion && !RoomForSuspects(1)) {
    evidence_.Trying(record);
    HoldForSuspects(LineOf(*active), answer.now);
    return;
  }
  queue::Settlement settlement = SettlementOf(*active, answer);
  settlement.set_aside.push_back(queue::SetAsideRecord{record.sequence, record.record,
                                                       SuspicionOf(*active, fault, WordsOf(answer.verdict), answer),
                                                       active->may_have_arrived || active->mended});
  const bool nothing_else = breaker_.state() != limit::CircuitState::kOk && !crowded_;
  const bool news = !Definite(fault) && active->suspicion && active->suspicion->reason != Name(fault);
  if (active->suspicion && (nothing_else || news)) {
    // It is the only one that tells how the destination is.
    breaker_.Record(limit::Effect::kTransient, answer.verdict.reason, std::nullopt, answer.now, deps_.clock.Wall());
  }
  SettleOne(active, std::move(settlement), answer);
}

void DestinationImpl::Bury(const ActivePtr& active, Fault fault, const Answer& answer) {
  queue::Settlement settlement = SettlementOf(*active, answer);
  const RecordKey record = answer.culprit.value_or(active->first());
  settlement.dead.push_back(queue::DeadRecord{record.sequence, record.record, std::string(Name(fault)),
                                              WordsOf(answer.verdict), answer.verdict.provider_request_id,
                                              answer.status});
  SettleOne(active, std::move(settlement), answer);
}

// What becomes of one record is known: the batch has no other, or the others go again as they are.
void DestinationImpl::SettleOne(const ActivePtr& active, queue::Settlement settlement, const Answer& answer) {
  std::vector<ActivePtr> rest;
  if (answer.culprit) {
    Result<std::unique_ptr<queue::PreparedBatch>> rebuilt = builder_.Rebuild(active->batch, answer.others);
    if (!rebuilt) {
      CannotRebuild(active, rebuilt.error(), answer);
      return;
    }
    rest.push_back(std::make_shared<Active>());
    rest.front()->batch = **rebuilt;
    rest.front()->track = active->track.Part();
    rest.front()->track.searched = active->track.searched;
    rest.front()->not_before = answer.now;
    settlement.successors.push_back(*std::move(rebuilt));
    ++traffic_.possible_duplicates;  // under a new key
  }
  Settle(active, std::move(settlement), std::move(rest));
}

void DestinationImpl::Hold(const std::string& reason, MonoTime now) {
  last_error_ = reason;
  breaker_.Record(limit::Effect::kHold, reason, std::nullopt, now, deps_.clock.Wall());
  evidence_.Held(true);
  Tell("destination_held", reason);
}

bool DestinationImpl::RoomForSuspects(std::size_t more) const {
  return deps_.suspects.SuspectCount(options_.name) + more <= kMaxSuspects;
}

// Suspects are tried again all the same: what becomes of them makes room.
void DestinationImpl::HoldForSuspects(LineState& line, MonoTime now) {
  const std::string reason = std::to_string(kMaxSuspects) + " records are set aside; " + WhatIsRefused(now);
  last_error_ = reason;
  crowded_ = true;
  breaker_.Record(limit::Effect::kHold, reason, std::nullopt, now, deps_.clock.Wall());
  line.wants = Wants::kNewest;
  Tell("suspects_full", reason);
}

void DestinationImpl::NoteSample(const std::string& record_id, const std::string& words) {
  samples_.push_front(record_id + ": " + words);
  samples_.resize(std::min(samples_.size(), kSamples));
}

std::string DestinationImpl::WhatIsRefused(MonoTime now) const {
  const int percent = static_cast<int>(std::round(kPercent * evidence_.share_refused(now)));
  std::string text = (percent == 0 ? "less than 1" : std::to_string(percent)) + " % of records are refused";
  for (std::size_t i = 0; i < samples_.size(); ++i) {
    text += (i == 0 ? ", as " : "; ") + samples_[i];
  }
  return text;
}

void DestinationImpl::TellSearchIsSlow(MonoTime now) {
  if (refusals_told_at_ && now - *refusals_told_at_ < kTellAgain) {
    return;
  }
  refusals_told_at_ = now;
  Tell("records_refused", WhatIsRefused(now) + "; finding them slows the destination down");
}

void DestinationImpl::EndRefusals(MonoTime now) {
  if (refusals_told_at_ && now - *refusals_told_at_ >= kTellAgain && evidence_.share_refused(now) == 0) {
    refusals_told_at_.reset();
    Over("records_refused");
  }
}

}  // namespace packhorse::delivery
