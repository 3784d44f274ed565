// What becomes of a batch in the queue: the last part of DestinationImpl.

#include <algorithm>
#include <utility>

#include "delivery/destination.h"

namespace packhorse::delivery {

queue::Settlement DestinationImpl::SettlementOf(const Active& active, const outcome::Verdict& verdict,
                                                int status) const {
  queue::Settlement settlement;
  settlement.batch = active.batch.id;
  settlement.http_status = status;
  settlement.provider_request_id = verdict.provider_request_id;
  settlement.attempts = active.attempts;
  settlement.possible_duplicate = active.may_have_arrived;
  return settlement;
}

void DestinationImpl::CannotRebuild(const ActivePtr& active, const Error& error, const outcome::Verdict& verdict,
                                    int status, MonoTime now) {
  if (active->batch.replay == 0) {
    Hold(error.message, now);
    return;
  }
  queue::Settlement settlement = SettlementOf(*active, verdict, status);
  for (const queue::Member& member : active->batch.members) {
    for (std::uint32_t i = 0; i < member.records; ++i) {
      settlement.dead.push_back(
          queue::DeadRecord{member.sequence, member.first_record + i, "gone", error.message, "", status});
    }
  }
  Settle(active, std::move(settlement), now);
}

bool DestinationImpl::Split(const ActivePtr& active, const outcome::Verdict& verdict, int status, MonoTime now) {
  queue::Settlement settlement = SettlementOf(*active, verdict, status);
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
  for (const std::vector<queue::Member>& part : parts) {
    Result<std::unique_ptr<queue::FrozenBatch>> rebuilt = builder_.Rebuild(active->batch, part);
    if (!rebuilt) {
      CannotRebuild(active, rebuilt.error(), verdict, status, now);
      return false;
    }
    settlement.successors.push_back(*std::move(rebuilt));
  }
  Settle(active, std::move(settlement), now);
  return true;
}

void DestinationImpl::Bury(const ActivePtr& active, std::string reason, const outcome::Verdict& verdict, int status,
                           MonoTime now) {
  queue::Settlement settlement = SettlementOf(*active, verdict, status);
  const queue::Member& member = active->batch.members.front();
  settlement.dead.push_back(queue::DeadRecord{
      member.sequence, member.first_record, std::move(reason),
      verdict.problem_detail.empty() ? verdict.reason : verdict.reason + ": " + verdict.problem_detail,
      verdict.provider_request_id, status});
  if (active->batch.replay == 0) {
    around_.events.Raise(
        "dead_letters", options_.name,
        builder_.MemberRecordId(active->batch.lane, member, member.first_record) + ": " + verdict.reason,
        around_.clock.Wall());
  }
  Settle(active, std::move(settlement), now);
}

void DestinationImpl::Settle(const ActivePtr& active, queue::Settlement settlement, MonoTime now) {
  active->state = Active::State::kSettling;
  if (active->batch.replay != 0 && !settlement.dead.empty()) {
    around_.events.Raise("replay_refused", options_.name,
                         "replay " + std::to_string(active->batch.replay) + ": " +
                             std::to_string(settlement.dead.size()) + " records: " + settlement.dead.front().detail,
                         around_.clock.Wall());
  }
  active->has_successors = !settlement.successors.empty();
  std::vector<ActivePtr> successors;
  for (const auto& batch : settlement.successors) {
    auto successor = std::make_shared<Active>();
    successor->batch = *batch;
    successor->not_before = now;
    successor->backlog = active->backlog;
    successors.push_back(std::move(successor));
  }
  around_.queue.Settle(std::move(settlement), [this, active, successors, alive = std::weak_ptr<bool>(alive_)](
                                                  const Result<std::vector<queue::BatchId>>& ids) {
    if (!alive.expired()) {
      OnSettled(active, successors, ids);
    }
  });
}

void DestinationImpl::OnSettled(const ActivePtr& active, std::vector<ActivePtr> successors,
                                const Result<std::vector<queue::BatchId>>& ids) {
  LineState& line = LineOf(*active);
  auto at = std::find(line.line.begin(), line.line.end(), active);
  if (!ids) {
    // Its outcome is known but could not be written: sent again it is a recognisable duplicate, not a loss.
    active->state = Active::State::kReady;
    active->has_successors = false;
    active->may_have_arrived = true;
    Hold("settle: " + ids.error().message, around_.clock.Mono());
    return;
  }
  if (at != line.line.end()) {
    at = line.line.erase(at);
  }
  for (std::size_t i = 0; i < successors.size(); ++i) {
    successors[i]->batch.id = (*ids)[i];
    successors[i]->may_have_arrived = active->may_have_arrived;
    at = line.line.insert(at, successors[i]) + 1;
  }
}

}  // namespace packhorse::delivery
