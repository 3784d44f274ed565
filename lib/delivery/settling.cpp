// What becomes of a batch in the queue: the last part of DestinationImpl.

#include <algorithm>
#include <utility>

#include "delivery/destination.h"
#include "delivery/field_sums.h"

namespace packhorse::delivery {

queue::Settlement DestinationImpl::SettlementOf(const Active& active, const Answer& answer) const {
  queue::Settlement settlement;
  settlement.batch = active.batch.id;
  settlement.http_status = answer.status;
  settlement.provider_request_id = answer.verdict.provider_request_id;
  settlement.attempts = active.attempts;
  settlement.possible_duplicate = active.may_have_arrived;
  return settlement;
}

// Records of it could not be rendered again: what is live waits for somebody to mend that, of a replay they count as
// refused.
void DestinationImpl::CannotRebuild(const ActivePtr& active, const Error& error, const Answer& answer) {
  if (active->batch.replay == 0) {
    Hold(error.message, answer.now);
    return;
  }
  queue::Settlement settlement = SettlementOf(*active, answer);
  for (const queue::Member& member : active->batch.members) {
    for (std::uint32_t i = 0; i < member.records; ++i) {
      settlement.dead.push_back(
          queue::DeadRecord{member.sequence, member.first_record + i, "gone", error.message, "", answer.status});
    }
  }
  Settle(active, std::move(settlement), {});
}

void DestinationImpl::Split(const ActivePtr& active, const Answer& answer) {
  queue::Settlement settlement = SettlementOf(*active, answer);
  const std::uint32_t half = active->batch.records / 2;
  std::vector<queue::Member> parts[2];
  std::uint32_t before = 0;
  for (const queue::Member& member : active->batch.members) {
    const std::uint32_t in_first = before >= half ? 0 : std::min(member.records, half - before);
    if (in_first > 0) {
      parts[0].push_back(member);
      parts[0].back().records = in_first;
    }
    if (in_first < member.records) {
      parts[1].push_back(member);
      parts[1].back().first_record += in_first;
      parts[1].back().records -= in_first;
    }
    before += member.records;
  }
  std::vector<ActivePtr> successors;
  for (const std::vector<queue::Member>& part : parts) {
    Result<std::unique_ptr<queue::PreparedBatch>> rebuilt = builder_.Rebuild(active->batch, part);
    if (!rebuilt) {
      CannotRebuild(active, rebuilt.error(), answer);
      return;
    }
    auto successor = std::make_shared<Active>();
    successor->batch = **rebuilt;
    successor->track = active->track.Part();
    successor->not_before = answer.now;
    successors.push_back(std::move(successor));
    settlement.successors.push_back(*std::move(rebuilt));
  }
  ++traffic_.possible_duplicates;  // under new keys
  Settle(active, std::move(settlement), std::move(successors));
}

void DestinationImpl::Settle(const ActivePtr& active, queue::Settlement settlement, std::vector<ActivePtr> successors) {
  active->state = Active::State::kSettling;
  active->has_successors = !successors.empty();
  for (const ActivePtr& successor : successors) {
    successor->backlog = active->backlog;
    successor->tried_at = active->tried_at;
    successor->may_have_arrived = active->may_have_arrived;
  }
  TellOf(*active, settlement);
  if (options_.reconciled && active->batch.replay == 0) {
    settlement.id_hashes = id_hashes_.Of(active->batch, settlement, deps_.queue.ids());
    settlement.sums = FieldSumsOf(active->batch, settlement, options_.sums, builder_);
  }
  suspects_changed_ = suspects_changed_ || !settlement.set_aside.empty();
  deps_.queue.Settle(std::move(settlement),
                     [this, active, successors = std::move(successors),
                      alive = std::weak_ptr<bool>(alive_)](const Result<std::vector<queue::BatchId>>& ids) {
                       if (!alive.expired()) {
                         OnSettled(active, successors, ids);
                       }
                     });
}

void DestinationImpl::OnSettled(const ActivePtr& active, const std::vector<ActivePtr>& successors,
                                const Result<std::vector<queue::BatchId>>& ids) {
  if (!ids) {
    // Its outcome is known but could not be written: sent again it is a recognisable duplicate, not a loss.
    active->state = Active::State::kReady;
    active->has_successors = false;
    active->may_have_arrived = true;
    Hold("settle: " + ids.error().message, deps_.clock.Mono());
    return;
  }
  if (active->suspicion) {
    trying_.erase(std::remove(trying_.begin(), trying_.end(), active), trying_.end());
    if (!evidence_.Knows(active->first())) {
      suspect_ids_.erase(active->first());
    }
  }
  std::deque<ActivePtr>& line = LineOf(*active).line;
  auto at = std::find(line.begin(), line.end(), active);
  if (at != line.end()) {
    at = line.erase(at);
  }
  for (std::size_t i = 0; i < successors.size(); ++i) {
    successors[i]->batch.id = (*ids)[i];
    at = line.insert(at, successors[i]) + 1;
  }
  AfterSuspects(deps_.clock.Mono());
}

void DestinationImpl::TellOf(const Active& active, const queue::Settlement& settlement) {
  const auto id_of = [&](Sequence sequence, std::uint32_t record) {
    const auto member =
        std::find_if(active.batch.members.begin(), active.batch.members.end(), [&](const queue::Member& one) {
          return one.sequence == sequence && one.first_record <= record && record < one.first_record + one.records;
        });
    return builder_.MemberRecordId(active.batch.lane, *member, record);
  };
  if (active.batch.replay != 0) {
    if (!settlement.dead.empty()) {
      Tell("replay_refused", "replay " + std::to_string(active.batch.replay) + ": " +
                                 std::to_string(settlement.dead.size()) +
                                 " records: " + settlement.dead.front().detail);
    }
    return;
  }
  for (const queue::DeadRecord& dead : settlement.dead) {
    Tell("dead_letters", id_of(dead.sequence, dead.record) + ": " + dead.detail);
  }
  for (const queue::SetAsideRecord& aside : settlement.set_aside) {
    const std::string id = id_of(aside.sequence, aside.record);
    NoteSample(id, aside.suspicion.detail);
    if (!active.suspicion) {
      Tell("suspects", id + ": " + aside.suspicion.detail + " (set aside, kept and tried again; the others go on)");
    }
  }
}

void DestinationImpl::Tell(health::EventName name, std::string message) {
  deps_.events.Raise(name, options_.name, std::move(message), deps_.clock.Wall());
}

void DestinationImpl::Over(health::EventName name) { deps_.events.Resolve(name, options_.name, deps_.clock.Wall()); }

}  // namespace packhorse::delivery
