// Records that are set aside and tried again now and then, one at a time, beside the lines (evidence.h says when).

#include <algorithm>
#include <utility>

#include "delivery/destination.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kPage = 64;
// A destination that is held for the number of its suspects goes on when so few are left.
constexpr std::uint64_t kRoomAgain = 900;
// While turns are scarce, of so many one may be a suspect's.
constexpr std::uint32_t kTurnsPerSuspect = 10;

}  // namespace

// Learns the numbers under which the queue keeps those that were set aside since.
Status DestinationImpl::LearnSuspects(bool adopt) {
  while (true) {
    const Result<std::vector<queue::Suspect>> page = deps_.suspects.Suspects(options_.name, kPage, last_suspect_id_);
    RETURN_IF_ERROR(page);
    for (const queue::Suspect& suspect : *page) {
      const RecordKey key{suspect.lane, suspect.sequence, suspect.record};
      suspect_ids_[key] = suspect.id;
      last_suspect_id_ = suspect.id;
      if (adopt) {
        evidence_.Adopt(key, deps_.clock.Mono());
      }
      for (const ActivePtr& active : trying_) {
        if (adopt && active->first() == key) {
          active->suspicion = suspect.suspicion;
          evidence_.Trying(key);
        }
      }
    }
    if (page->size() < kPage) {
      return {};
    }
  }
}

Error DestinationImpl::MustNotOvertake() const {
  return Error{
      ErrorCode::kInvalidArgument,
      "destination '" + options_.name +
          "' has \"receiver\": \"watermark\": it would take what comes behind later records for a repetition and "
          "forget it. Set it to \"record_id\" if the API recognises records by their ids"};
}

void DestinationImpl::RetrySuspect(std::int64_t id, std::function<void(const Status&)> done) {
  if (options_.keeps_order) {
    done(MustNotOvertake());
    return;
  }
  const Result<queue::Suspect> suspect = deps_.suspects.FindSuspect(id);
  if (!suspect) {
    done(suspect.error());
    return;
  }
  if (!suspect->retrying) {
    evidence_.Hasten(RecordKey{suspect->lane, suspect->sequence, suspect->record}, deps_.clock.Mono());
  }
  done(Status());
}

MonoTime DestinationImpl::RetrySuspects(MonoTime now) {
  if (!trying_.empty()) {
    return SendSuspect(now);
  }
  if (draining_ || taking_suspect_) {
    return now + kIdle;
  }
  const std::optional<Evidence::Next> next = evidence_.NextSuspect();
  if (!next || !SuspectMayGo(now)) {
    return now + kIdle;
  }
  const MonoTime at = std::max(next->at, SearchAdmittedAt(limit::Cost{1, 1, 0}, now));
  if (at > now) {
    return at;
  }
  const auto id = suspect_ids_.find(next->record);
  if (id == suspect_ids_.end()) {
    evidence_.Postpone(next->record, now);
    return now;
  }
  StartRetry(id->second, next->record, now);
  return now;
}

void DestinationImpl::StartRetry(std::int64_t id, const RecordKey& record, MonoTime now) {
  const Result<queue::Suspect> suspect = deps_.suspects.FindSuspect(id);
  if (!suspect) {
    if (suspect.error().code == ErrorCode::kNotFound) {  // given up on request, or too old
      suspect_ids_.erase(record);
      evidence_.Forget(record);
      AfterSuspects(now);
    } else {
      evidence_.Postpone(record, now);
    }
    return;
  }
  auto active = std::make_shared<Active>();
  active->suspicion = suspect->suspicion;
  std::unique_ptr<queue::PreparedBatch> batch;
  if (suspect->kept) {
    active->batch = *suspect->kept;
    active->may_have_arrived = true;
  } else {
    Result<std::unique_ptr<queue::PreparedBatch>> rendered = builder_.Retry(*suspect);
    if (!rendered) {
      last_error_ = rendered.error().message;
      evidence_.Postpone(record, now);
      return;
    }
    batch = *std::move(rendered);
    if (batch->unsent() && StillWaits(*batch)) {
      evidence_.Postpone(record, now);
      return;
    }
    active->batch = *batch;
  }
  active->batch.suspect = true;
  evidence_.Trying(record);
  taking_suspect_ = true;
  deps_.suspects.RetrySuspect(
      id, std::move(batch),
      [this, active, record, alive = std::weak_ptr<bool>(alive_)](const Result<queue::BatchId>& batch_id) {
        if (alive.expired()) {
          return;
        }
        taking_suspect_ = false;
        if (!batch_id) {
          evidence_.Postpone(record, deps_.clock.Mono());
          return;
        }
        active->batch.id = *batch_id;
        trying_.push_back(active);
      });
}

// While something is wrong with the destination its lines tell when that is over; without any, a suspect does.
bool DestinationImpl::SuspectMayGo(MonoTime now) const {
  const limit::CircuitState state = breaker_.state();
  if (state == limit::CircuitState::kPaused || options_.keeps_order) {
    return false;  // of another configuration: they wait for it
  }
  if (crowded_ && state == limit::CircuitState::kHeld) {
    return in_flight_ == 0;
  }
  if (waits_ && since_suspect_ + 1 < kTurnsPerSuspect) {
    return false;
  }
  const bool lines_empty =
      std::all_of(lines_.begin(), lines_.end(), [](const LineState& line) { return line.line.empty(); });
  return breaker_.MaySend(now) && (state == limit::CircuitState::kOk || lines_empty);
}

MonoTime DestinationImpl::SendSuspect(MonoTime now) {
  const ActivePtr& suspect = trying_.front();
  if (suspect->batch.unsent()) {
    return now + kIdle;
  }
  if (draining_ || suspect->state != Active::State::kReady || !SuspectMayGo(now) || !HasPlace()) {
    return now + kIdle;
  }
  const MonoTime at = std::max({suspect->not_before, OpenAt(suspect->batch.lane, now),
                                pacing_.NextAdmission({CostOf(*suspect), BytesOf(*suspect)}, now),
                                SearchAdmittedAt(CostOf(*suspect), now)});
  if (at <= now && IsOutdated(*suspect)) {
    SettleUnsent(suspect, now);
    return std::max(now, suspect->not_before);
  }
  if (at <= now) {
    Send(suspect, now);
    return now + kIdle;
  }
  return at;
}

// Some came, or went.
void DestinationImpl::AfterSuspects(MonoTime now) {
  const std::uint64_t left = deps_.suspects.SuspectCount(options_.name);
  if (left == 0) {
    Over("suspects");
  }
  if (std::exchange(suspects_changed_, false)) {
    if (const Status learnt = LearnSuspects(false); !learnt) {
      last_error_ = learnt.error().message;
      suspects_changed_ = true;
    }
  }
  if (crowded_ && left <= kRoomAgain) {
    crowded_ = false;
    Over("suspects_full");
    breaker_.Nudge(now);
  }
}

}  // namespace packhorse::delivery
