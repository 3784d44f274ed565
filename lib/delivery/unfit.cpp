// Records that are not sent, as the destination's API does not take them: they are skipped, become dead letters, or
// wait until the contract is mended. So are those of a batch that became too old while it waited.

#include <algorithm>
#include <utility>

#include "delivery/batch_draft.h"
#include "delivery/destination.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;
using contract::RenderedRecord;

// Where there is no room to set them aside, or they cannot be read.
constexpr auto kLookAgain = 10s;

std::string WordsOf(const RenderedRecord& record) {
  return record.detail.empty() ? "the destination's API cannot take it: " + record.reason
                               : record.reason + ": " + record.detail;
}

// What becomes of each record: an entry of the settlement, or by its part what is fit after all.
std::map<std::string, std::vector<queue::Member>> SortUnsent(const Active& active,
                                                             const std::vector<RenderedRecord>& records, WallTime wall,
                                                             queue::Settlement& settlement, OutsideTimes& outside) {
  std::map<std::string, std::vector<queue::Member>> fit;
  std::size_t index = 0;
  for (const queue::Member& member : active.batch.members) {
    for (std::uint32_t i = 0; i < member.records; ++i) {
      const RenderedRecord& record = records.at(index++);
      const std::uint32_t number = member.first_record + i;
      if (record.fate == RenderedRecord::Fate::kItems) {
        queue::Member one = member;
        one.first_record = number;
        one.records = 1;
        AppendMember(one, fit[record.part]);
      } else if (record.fate == RenderedRecord::Fate::kSkipped) {
        settlement.skipped.push_back(queue::SkippedRecord{member.sequence, number, record.reason});
        outside.Add(record);
      } else if (record.fate == RenderedRecord::Fate::kWait && active.batch.replay == 0) {
        queue::Suspicion suspicion = active.suspicion.value_or(queue::Suspicion{});
        suspicion.reason = kUnfit;
        suspicion.detail = WordsOf(record);
        suspicion.last_refused_at = wall;
        suspicion.first_refused_at = suspicion.refusals++ == 0 ? suspicion.last_refused_at : suspicion.first_refused_at;
        settlement.set_aside.push_back(queue::SetAsideRecord{member.sequence, number, std::move(suspicion), false});
      } else {
        settlement.dead.push_back(
            queue::DeadRecord{member.sequence, number, std::string(kUnfit), WordsOf(record), "", 0});
      }
    }
  }
  return fit;
}

}  // namespace

MonoTime DestinationImpl::SettleUnsent(MonoTime now) {
  MonoTime next = now + kIdle;
  const auto settle = [&](const ActivePtr& active) {
    if (active->batch.unsent()) {
      SettleUnsent(active, now);
      next = active->state == Active::State::kReady ? std::min(next, active->not_before) : next;
    }
  };
  for (const LineState& line : lines_) {
    std::for_each(line.line.begin(), line.line.end(), settle);
  }
  std::for_each(trying_.begin(), trying_.end(), settle);
  return next;
}

void DestinationImpl::SettleUnsent(const ActivePtr& active, MonoTime now) {
  if (active->state != Active::State::kReady || active->not_before > now) {
    return;
  }
  active->not_before = now + kLookAgain;
  Answer answer;
  answer.now = now;
  const Result<std::vector<RenderedRecord>> records = builder_.Judge(active->batch);
  if (!records && !active->batch.unsent()) {
    active->batch.born.reset();  // it goes as it is, and the API decides
    active->not_before = now;
    return;
  }
  if (!records) {
    CannotRebuild(active, records.error(), answer);
    return;
  }
  const auto held = std::find_if(records->begin(), records->end(), [](const RenderedRecord& record) {
    return record.fate == RenderedRecord::Fate::kHeld;
  });
  active->held = held != records->end();
  if (active->held) {
    times_told_.why_held = "lane " + std::string(Name(active->batch.lane)) + ": " + WordsOf(*held);
    return;
  }
  OutsideTimes outside;
  queue::Settlement settlement = SettlementOf(*active, answer);
  const std::map<std::string, std::vector<queue::Member>> fit =
      SortUnsent(*active, *records, deps_.clock.Wall(), settlement, outside);
  if (!active->suspicion && !settlement.set_aside.empty() && !RoomForSuspects(settlement.set_aside.size())) {
    HoldForSuspects(LineOf(*active), now);
    return;
  }
  std::vector<ActivePtr> successors;
  if (!AddSuccessors(active, fit, answer, settlement, successors)) {
    return;
  }
  for (const queue::SetAsideRecord& aside : settlement.set_aside) {
    const RecordKey key{active->batch.lane, aside.sequence, aside.record};
    if (evidence_.Knows(key)) {
      evidence_.Postpone(key, now);
    } else {
      evidence_.Adopt(key, now);
    }
  }
  times_told_.outside.Add(outside, now);
  Settle(active, std::move(settlement), std::move(successors));
}

// What is fit after all, since the contract was mended, or which the present contract takes where a newer one does not.
bool DestinationImpl::AddSuccessors(const ActivePtr& active,
                                    const std::map<std::string, std::vector<queue::Member>>& parts,
                                    const Answer& answer, queue::Settlement& settlement,
                                    std::vector<ActivePtr>& successors) {
  for (const auto& [part, members] : parts) {
    if (TriesNewer(*active)) {
      if (AddByPresent(*active, members, std::nullopt, settlement, successors)) {
        continue;
      }
      active->batch.born.reset();  // it goes as it is, and the API decides
      active->stays_newer = true;
      active->not_before = answer.now;
      return false;
    }
    Result<std::unique_ptr<queue::PreparedBatch>> rebuilt = builder_.Rebuild(active->batch, members);
    if (!rebuilt) {
      CannotRebuild(active, rebuilt.error(), answer);
      return false;
    }
    successors.push_back(std::make_shared<Active>());
    successors.back()->batch = **rebuilt;
    settlement.successors.push_back(*std::move(rebuilt));
  }
  return true;
}

// A suspect that waits for its contract to be mended, and is no better now.
bool DestinationImpl::StillWaits(const queue::PreparedBatch& batch) const {
  const Result<std::vector<RenderedRecord>> records = builder_.Judge(batch);
  return !records || std::all_of(records->begin(), records->end(), [](const RenderedRecord& record) {
    return record.fate == RenderedRecord::Fate::kWait || record.fate == RenderedRecord::Fate::kHeld;
  });
}

}  // namespace packhorse::delivery
