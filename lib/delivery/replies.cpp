// What a reply means for the batch that was sent: the third part of DestinationImpl.

#include <algorithm>
#include <utility>

#include "contract/sent_order.h"
#include "delivery/batch_draft.h"
#include "delivery/destination.h"

namespace packhorse::delivery {
namespace {

constexpr int kStatusConflict = 409;
constexpr int kStatusUnavailable = 503;
constexpr std::uint32_t kMaxRests = 6;  // waits of up to a minute

bool Took(outcome::Action action) {
  using outcome::Action;
  return action == Action::kDelivered || action == Action::kPartial || action == Action::kConfirm;
}

// What a reply says of each record of a batch.
struct Shares {
  std::vector<queue::Member> again;
  std::vector<std::pair<queue::Member, std::string>> rejected;  // one record each, and the words
  std::uint32_t delivered = 0;
};

Shares Sort(const Active& active, const outcome::Verdict& verdict) {
  Shares shares;
  std::size_t index = 0;
  for (const queue::Member& member : active.batch.members) {
    for (std::uint32_t i = 0; i < member.records; ++i, ++index) {
      queue::Member one = member;
      one.first_record = member.first_record + i;
      one.records = 1;
      const outcome::RecordResult& result = verdict.records.at(index);
      if (result.verdict == RecordVerdict::kRejected) {
        shares.rejected.emplace_back(one, result.detail);
      } else if (result.verdict == RecordVerdict::kRetry) {
        AppendMember(one, shares.again);
      } else {
        ++shares.delivered;
      }
    }
  }
  return shares;
}

}  // namespace

outcome::Reply ToReply(upload::Response&& response) {
  outcome::Reply reply;
  reply.complete = response.transport == upload::Transport::kOk;
  reply.outcome_unknown = upload::OutcomeUnknown(response.transport);
  reply.unreachable = !reply.complete && !reply.outcome_unknown;
  reply.error = std::move(response.error);
  reply.status = response.status;
  reply.headers = std::move(response.headers);
  reply.body = std::move(response.body);
  reply.truncated = response.truncated;
  return reply;
}

void DestinationImpl::OnResponse(const ActivePtr& active, upload::Response response) {
  const MonoTime now = deps_.clock.Mono();
  --in_flight_;
  active->state = Active::State::kReady;
  traffic_.NoteReply(response, now);
  pacing_.Answered(active->ticket, response, now);
  NoteOddReply(response);
  certificate_ends_ = response.certificate_ends ? response.certificate_ends : certificate_ends_;
  if (RefusesAnOldSecret(*active, response.status)) {
    concurrency_.Ended(active->flight);
    return;  // still ready: goes again at once, with the present one
  }
  Answer answer;
  answer.status = response.status;
  answer.transport = response.transport;
  answer.connection = response.connection;
  answer.now = now;
  const std::chrono::microseconds elapsed = response.elapsed;
  const std::string clock_doubt = ClockDoubt(response);
  const outcome::Reply reply = ToReply(std::move(response));
  const std::span<const std::uint32_t> order(active->batch.order);
  const std::vector<std::uint32_t> items = contract::AsSent(order, active->batch.items);
  const contract::CloudContract& contract = ContractOf(active->batch);
  answer.verdict =
      outcome::Judge(reply, contract.response(),
                     outcome::Sent{active->batch.records,
                                   [&] { return contract::AsSent(order, builder_.RecordIds(active->batch)); }, items},
                     deps_.clock.Wall(), &options_.outcomes);
  answer.verdict.records = contract::AsTheyCome(order, std::move(answer.verdict.records));
  if (answer.verdict.action == outcome::Action::kAuth) {
    answer.verdict.reason += clock_doubt;
  }
  LearnRate(*active, answer, LearnConcurrency(*active, answer, elapsed));
  NoteDeprecation(answer.verdict);
  TellOfVerdict(*active, answer.verdict);
  exchanges_.Note(active->batch, active->sent, reply, answer.verdict, elapsed, deps_.clock.Wall());
  if (!reply.unreachable) {
    first_contact_.Reached();
  }
  if (reply.unreachable && answer.verdict.action == outcome::Action::kRetry &&
      answer.transport != upload::Transport::kSendFailed) {
    last_error_ = answer.verdict.reason;
    breaker_.Record(limit::Effect::kUnreachable, answer.verdict.reason, std::nullopt, now, deps_.clock.Wall());
    return;
  }
  Apply(active, std::move(answer));
}

bool DestinationImpl::LearnConcurrency(const Active& active, const Answer& answer, std::chrono::microseconds elapsed) {
  bool too_many = false;
  if (answer.transport == upload::Transport::kTimeout) {
    concurrency_.TimedOut(active.flight);
  } else if (answer.transport == upload::Transport::kOk) {
    if (RefusesPace(active, answer) || answer.status == kStatusUnavailable) {
      too_many = concurrency_.Refused(active.flight, answer.now);
    } else if (Took(answer.verdict.action) && !IsQuestion(active)) {
      concurrency_.Passed(active.flight, elapsed, active.batch.body.size(), answer.now);
    }
  }
  concurrency_.Ended(active.flight);
  return too_many;
}

// 503 says that the other side is not well, not that we are too fast; and where fewer at once pass, that was the
// reason.
void DestinationImpl::LearnRate(const Active& active, const Answer& answer, bool too_many) {
  using Pace = Pacing::Told::Pace;
  if (answer.transport != upload::Transport::kOk) {
    return;
  }
  const outcome::Verdict& verdict = answer.verdict;
  Pacing::Told told{verdict.announced, Pace::kPassed, verdict.retry_after};
  if (RefusesPace(active, answer)) {
    told.pace = answer.status == kStatusUnavailable || too_many ? Pace::kUnclear : Pace::kRefused;
  } else if (verdict.action == outcome::Action::kDelivered && verdict.retry_after) {
    told.pace = Pace::kLast;
  }
  pacing_.Learn(active.ticket, told, answer.now);
}

// What somebody should look at, whatever becomes of the batch.
void DestinationImpl::TellOfVerdict(const Active& active, const outcome::Verdict& verdict) {
  const std::string words = WordsOf(verdict);
  if (verdict.unexpected) {
    Tell("unexpected_reply", words);
  }
  if (verdict.refused_unnamed) {
    const std::string count = *verdict.refused_unnamed > 0 ? std::to_string(*verdict.refused_unnamed) : "some";
    Tell("items_refused_unnamed",
         count + " of " + std::to_string(active.batch.item_count()) + " items were refused: " + words);
  }
}

void DestinationImpl::Apply(const ActivePtr& active, Answer answer) {
  using outcome::Action;
  const outcome::Verdict& verdict = answer.verdict;
  if (!Took(verdict.action)) {
    last_error_ = verdict.reason;
  }
  switch (verdict.action) {
    case Action::kDelivered:
      OnDelivered(active, answer);
      break;
    case Action::kConfirm:
      OnConfirm(active, answer);
      break;
    case Action::kPartial:
      OnPartial(active, std::move(answer));
      break;
    case Action::kThrottled:
      OnThrottled(active, answer);
      break;
    case Action::kRetry:
      OnFault(active, answer.status == kStatusConflict ? Fault::kConflict : Fault::kFails, answer);
      break;
    case Action::kUnknown:
      CountUnknown(*active);
      OnFault(active, Fault::kTimesOut, answer);
      break;
    case Action::kTooLarge:
      OnFault(active, Fault::kTooLarge, answer);
      break;
    case Action::kBisect:
      if (verdict.maybe_stored) {
        CountUnknown(*active);
      }
      OnFault(active, Fault::kRejected, answer);
      break;
    case Action::kAuth:
      OnUnauthorized(active, answer);
      break;
    case Action::kHold:
      OnFault(active, Fault::kUnexpected, answer);
      break;
    case Action::kDeviation:
      Tell("contract_deviation", verdict.reason);
      CountUnknown(*active);
      OnFault(active, Fault::kDeviates, answer);
      break;
  }
}

// Each such attempt may have stored what it carried.
void DestinationImpl::CountUnknown(Active& active) {
  active.may_have_arrived = true;
  ++traffic_.possible_duplicates;
}

// The other side works: whatever was wrong is over.
void DestinationImpl::Works(const Active& active, const Answer& answer) {
  // A wait that comes with a success: the reply says so, or that nothing is left of the rate for now.
  breaker_.Record(limit::Effect::kSuccess, answer.verdict.reason, answer.verdict.retry_after, answer.now,
                  deps_.clock.Wall());
  evidence_.Held(false);
  if (active.credential == authorizer_->generation()) {
    authorizer_->Succeeded();
  }
  last_success_at_ = deps_.clock.Wall();
  for (LineState& line : lines_) {
    line.wants = Wants::kNothing;
    for (const ActivePtr& waiting : line.line) {
      if (std::exchange(waiting->waits_for_other, false)) {
        waiting->not_before = answer.now;
      }
    }
  }
  Over("destination_held");
  Over("contract_deviation");
  Over("lane_waits");
}

void DestinationImpl::OnDelivered(const ActivePtr& active, const Answer& answer) {
  Works(*active, answer);
  NoteForRollout(*active, active->batch.records);
  std::optional<std::string> passed = PassedNow(*active, nullptr, answer.now);
  if (evidence_.Accepted(active->track, active->last(), active->batch.records, true, answer.now) && !passed) {
    passed = builder_.MemberRecordId(active->batch.lane, active->batch.members.front(), active->first().record);
  }
  TellOfContradiction(passed);
  if (!active->suspicion) {
    sizes_.records.Passed(active->batch.item_count(), ConfiguredLimits().max_records, answer.now);
    sizes_.bytes.Passed(active->batch.uncompressed_bytes, ConfiguredLimits().max_bytes, answer.now);
  }
  const bool replay = active->batch.replay != 0;
  traffic_.records_delivered += replay ? 0 : active->batch.records;
  if (!replay && (active->backlog || !options_.live_first)) {
    drained_.Record(active->batch.members.size(), answer.now);
  }
  Settle(active, SettlementOf(*active, answer), {});
}

// Closes the case of each record that is accepted now. The id of the first of them that was refused while others
// passed; without a verdict of each all are accepted.
std::optional<std::string> DestinationImpl::PassedNow(const Active& active, const outcome::Verdict* verdict,
                                                      MonoTime now) {
  if (active.batch.replay != 0 || !evidence_.any()) {
    return std::nullopt;
  }
  std::vector<RecordKey> accepted;
  std::size_t index = 0;
  for (const queue::Member& member : active.batch.members) {
    for (std::uint32_t i = 0; i < member.records; ++i, ++index) {
      if (verdict == nullptr || verdict->records.at(index).verdict == RecordVerdict::kDelivered) {
        accepted.push_back(RecordKey{active.batch.lane, member.sequence, member.first_record + i});
      }
    }
  }
  const std::optional<RecordKey> passed = evidence_.Passed(accepted, now);
  if (!passed) {
    return std::nullopt;
  }
  const auto member = std::find_if(active.batch.members.begin(), active.batch.members.end(),
                                   [&](const queue::Member& each) { return each.sequence == passed->sequence; });
  return builder_.MemberRecordId(active.batch.lane, *member, passed->record);
}

void DestinationImpl::TellOfContradiction(const std::optional<std::string>& record_id) {
  if (record_id) {
    Tell("api_contradicts_itself",
         *record_id +
             " was refused while other records were accepted, and is accepted now: from here on a record is only given "
             "up after so many refusals that chance does not explain them");
  }
}

void DestinationImpl::OnPartial(const ActivePtr& active, Answer answer) {
  Shares shares = Sort(*active, answer.verdict);
  if (shares.delivered == 0) {
    // Nothing moved. What is named where none was accepted is refused as a batch is.
    if (!shares.rejected.empty()) {
      answer.verdict.problem_detail = shares.rejected.front().second;
    }
    if (shares.rejected.size() == 1 && !shares.again.empty()) {
      const queue::Member& member = shares.rejected.front().first;
      answer.culprit = RecordKey{active->batch.lane, member.sequence, member.first_record};
      answer.others = std::move(shares.again);
    }
    OnFault(active, shares.rejected.empty() ? Fault::kFails : Fault::kRejected, answer);
    return;
  }
  NoteForRollout(*active, shares.delivered);
  TellOfContradiction(PassedNow(*active, &answer.verdict, answer.now));
  evidence_.Accepted(active->track, active->last(), shares.delivered, false, answer.now);
  queue::Settlement settlement = SettlementOf(*active, answer);
  std::vector<ActivePtr> rest;
  if (TriesNewer(*active) && !shares.rejected.empty()) {
    std::vector<queue::Member> refused;
    for (const auto& [member, words] : shares.rejected) {
      AppendMember(member, refused);
    }
    const SecondTry why{active->batch.records, true, shares.rejected.front().second, answer.now};
    if (AddByPresent(*active, refused, why, settlement, rest)) {
      shares.rejected.clear();
    }
  }
  bool full = false;
  for (const auto& [member, words] : shares.rejected) {
    if (!NameRefused(*active, member, words, answer, settlement)) {
      AppendMember(member, shares.again);
      full = !options_.keeps_order;
    }
  }
  if (!shares.again.empty()) {
    std::sort(shares.again.begin(), shares.again.end(), [](const queue::Member& a, const queue::Member& b) {
      return std::pair(a.sequence, a.first_record) < std::pair(b.sequence, b.first_record);
    });
    Result<std::unique_ptr<queue::PreparedBatch>> rebuilt = builder_.Rebuild(active->batch, shares.again);
    if (!rebuilt) {
      CannotRebuild(active, rebuilt.error(), answer);
      return;
    }
    rest.push_back(RestOf(*active, **rebuilt, shares.delivered, answer.now));
    settlement.successors.push_back(*std::move(rebuilt));
  }
  Works(*active, answer);
  traffic_.records_delivered += active->batch.replay != 0 ? 0 : shares.delivered;
  Settle(active, std::move(settlement), std::move(rest));
  if (full) {
    HoldForSuspects(LineOf(*active), answer.now);
  }
}

// A reply that takes others names this record. False: it goes again, as there is no room to set it aside, or its lane
// has to wait for it.
bool DestinationImpl::NameRefused(Active& active, const queue::Member& member, const std::string& words,
                                  const Answer& answer, queue::Settlement& settlement) {
  const RecordKey key{active.batch.lane, member.sequence, member.first_record};
  const bool replay = active.batch.replay != 0;
  if (replay || evidence_.Named(key, active.track, answer.connection, answer.now) == Ruling::kBury) {
    settlement.dead.push_back(queue::DeadRecord{member.sequence, member.first_record,
                                                std::string(Name(Fault::kRejected)), words,
                                                answer.verdict.provider_request_id, answer.status});
    return true;
  }
  if (options_.keeps_order || !RoomForSuspects(settlement.set_aside.size() + 1)) {
    evidence_.Trying(key);
    return false;
  }
  settlement.set_aside.push_back(queue::SetAsideRecord{member.sequence, member.first_record,
                                                       SuspicionOf(active, Fault::kRejected, words, answer), false});
  return true;
}

// What a partial success left goes again, as a retry, later each time that it moves little.
ActivePtr DestinationImpl::RestOf(const Active& active, const queue::PreparedBatch& batch, std::uint32_t delivered,
                                  MonoTime now) {
  auto rest = std::make_shared<Active>();
  rest->batch = batch;
  rest->track = active.track.Part();
  rest->track.searched = active.track.searched;
  const bool little = delivered < active.batch.records - active.batch.records / 2;
  rest->rests = little ? std::min(active.rests + 1, kMaxRests) : 1;
  const std::chrono::milliseconds most =
      std::min(options_.breaker.backoff_initial * (1U << (rest->rests - 1)), options_.breaker.backoff_max);
  rest->not_before = now + most / 4 + most * random_.UpTo(300) / 400;
  return rest;
}

// A wait is for the whole destination. Only where others pass and this batch never does is it a matter of the batch.
void DestinationImpl::OnThrottled(const ActivePtr& active, const Answer& answer) {
  if (!active->suspicion || KnownToBeThrottled(*active)) {
    OnFault(active, Fault::kThrottled, answer);
    return;
  }
  breaker_.Record(limit::Effect::kThrottled, answer.verdict.reason, answer.verdict.retry_after, answer.now,
                  deps_.clock.Wall());
}

// A suspect that is told to wait while others pass: others do not have to.
}  // namespace packhorse::delivery
