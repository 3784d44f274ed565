// What a reply means for the batch that was sent: the third part of DestinationImpl.

#include <algorithm>
#include <utility>

#include "delivery/destination.h"

namespace packhorse::delivery {
namespace {

// Records refused one after the other, with nothing accepted between, after which it is us and not the records.
constexpr std::size_t kSuspectsBeforeHold = 3;
// Distinct kinds of reply that are counted; statuses are three digits, transport errors a handful.
constexpr std::size_t kMaxReplyKinds = 64;

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

std::string KindOf(const upload::Response& response) {
  return response.transport == upload::Transport::kOk ? std::to_string(response.status)
                                                      : std::string(upload::Name(response.transport));
}

}  // namespace

void DestinationImpl::OnResponse(const ActivePtr& active, upload::Response response) {
  const MonoTime now = around_.clock.Mono();
  --in_flight_;
  active->state = Active::State::kReady;
  bytes_sent_ += response.bytes_sent;
  latency_.Record(response.elapsed, now);
  if (const std::string kind = KindOf(response); replies_.size() < kMaxReplyKinds || replies_.contains(kind)) {
    ++replies_[kind];
  }
  const int status = response.status;
  NoteOddReply(response);
  if (RefusesAnOldSecret(*active, status)) {
    return;  // still ready: goes again at once, with the present one
  }
  const outcome::Reply reply = ToReply(std::move(response));
  const outcome::Verdict verdict =
      outcome::Judge(reply, options_.contract->response(), builder_.RecordIds(active->batch), around_.clock.Wall());
  for (const auto& [name, value] : verdict.deprecations) {
    around_.events.Raise("api_deprecated", options_.name, name + ": " + value, around_.clock.Wall());
  }
  if (!reply.unreachable) {
    first_contact_.Reached();
  }
  if (reply.unreachable && verdict.action == outcome::Action::kRetry) {
    last_error_ = verdict.reason;
    gate_.Record(limit::Effect::kUnreachable, verdict.reason, std::nullopt, now, around_.clock.Wall());
    return;
  }
  Apply(active, verdict, status, now);
}

void DestinationImpl::Apply(const ActivePtr& active, const outcome::Verdict& verdict, int status, MonoTime now) {
  using outcome::Action;
  if (verdict.action != Action::kDelivered && verdict.action != Action::kPartial) {
    last_error_ = verdict.reason;
  }
  switch (verdict.action) {
    case Action::kDelivered:
      OnDelivered(active, verdict, status, now);
      break;
    case Action::kPartial:
      OnPartial(active, verdict, status, now);
      break;
    case Action::kThrottled:
      gate_.Record(limit::Effect::kThrottled, verdict.reason, verdict.retry_after, now, around_.clock.Wall());
      break;
    case Action::kRetry:
      gate_.Record(limit::Effect::kTransient, verdict.reason, verdict.retry_after, now, around_.clock.Wall());
      break;
    case Action::kUnknown:
      if (!active->may_have_arrived) {
        active->may_have_arrived = true;
        ++possible_duplicates_;
      }
      gate_.Record(limit::Effect::kTransient, verdict.reason, verdict.retry_after, now, around_.clock.Wall());
      break;
    case Action::kTooLarge:
      OnTooLarge(active, verdict, status, now);
      break;
    case Action::kBisect:
      OnRefused(active, verdict, status, now);
      break;
    case Action::kAuth:
      OnUnauthorized(active, verdict, now);
      break;
    case Action::kHold:
      Hold(verdict.reason, now);
      break;
    case Action::kDeviation:
      OnDeviation(active, verdict, now);
      break;
  }
}

// The other side works: whatever was wrong is over.
void DestinationImpl::Works(const outcome::Verdict& verdict, MonoTime now) {
  // A wait that comes with a success: the reply's rate headers say that nothing is left for now.
  gate_.Record(limit::Effect::kSuccess, verdict.reason, verdict.retry_after, now, around_.clock.Wall());
  around_.events.Resolve("destination_held", options_.name, around_.clock.Wall());
  around_.events.Resolve("contract_deviation", options_.name, around_.clock.Wall());
}

void DestinationImpl::OnDelivered(const ActivePtr& active, const outcome::Verdict& verdict, int status, MonoTime now) {
  Works(verdict, now);
  if (credentials_ != nullptr && active->credential == credentials_->version()) {
    credentials_->Succeeded();
  }
  accepted_something_ = true;
  last_success_at_ = around_.clock.Wall();
  const bool replay = active->batch.replay != 0;
  records_delivered_ += replay ? 0 : active->batch.records;
  if (!replay && (active->backlog || !options_.live_first)) {
    drained_.Record(active->batch.members.size(), now);
  }
  Settle(active, SettlementOf(*active, verdict, status), now);
  BurySuspects(now);
}

void DestinationImpl::OnPartial(const ActivePtr& active, const outcome::Verdict& verdict, int status, MonoTime now) {
  queue::Settlement settlement = SettlementOf(*active, verdict, status);
  std::vector<queue::Member> again;
  std::size_t index = 0;
  std::uint32_t delivered = 0;
  for (const queue::Member& member : active->batch.members) {
    for (std::uint32_t i = 0; i < member.records; ++i, ++index) {
      const std::uint32_t record = member.first_record + i;
      const outcome::RecordResult& result = verdict.records.at(index);
      if (result.verdict == RecordVerdict::kRejected) {
        settlement.dead.push_back(
            queue::DeadRecord{member.sequence, record, "rejected", result.detail, verdict.provider_request_id, status});
      } else if (result.verdict == RecordVerdict::kRetry) {
        if (!again.empty() && again.back().sequence == member.sequence &&
            again.back().first_record + again.back().records == record) {
          ++again.back().records;
        } else {
          again.push_back(
              queue::Member{member.sequence, member.stream, record, 1, member.total_records, member.received_hour});
        }
      } else {
        ++delivered;
      }
    }
  }
  if (delivered == 0 && settlement.dead.empty()) {
    // Nothing moved: the same bytes again, later.
    gate_.Record(limit::Effect::kTransient, verdict.reason, verdict.retry_after, now, around_.clock.Wall());
    return;
  }
  if (!again.empty()) {
    Result<std::unique_ptr<queue::FrozenBatch>> rest = builder_.Rebuild(active->batch, again);
    if (!rest) {
      CannotRebuild(active, rest.error(), verdict, status, now);
      return;
    }
    settlement.successors.push_back(*std::move(rest));
  }
  Works(verdict, now);
  accepted_something_ = accepted_something_ || delivered > 0;
  records_delivered_ += active->batch.replay != 0 ? 0 : delivered;
  last_success_at_ = around_.clock.Wall();
  Settle(active, std::move(settlement), now);
}

void DestinationImpl::OnTooLarge(const ActivePtr& active, const outcome::Verdict& verdict, int status, MonoTime now) {
  if (active->batch.records == 1) {
    Bury(active, "too_large", verdict, status, now);
    return;
  }
  if (Split(active, verdict, status, now)) {
    learnt_max_bytes_ = std::max<std::uint64_t>(active->batch.uncompressed_bytes / 2, 1024);
  }
}

void DestinationImpl::OnRefused(const ActivePtr& active, const outcome::Verdict& verdict, int status, MonoTime now) {
  if (active->batch.records > 1) {
    Split(active, verdict, status, now);
    return;
  }
  if (active->batch.replay != 0) {
    // It was accepted once: perhaps just that is the reason. Nothing is lost by it, and nothing else has to wait.
    Bury(active, "rejected", verdict, status, now);
    return;
  }
  if (accepted_something_) {
    // Others were accepted: this record is refused on its own merits. The next refusals have to be told apart anew.
    accepted_something_ = false;
    Bury(active, "rejected", verdict, status, now);
    return;
  }
  // Is it the record, or is it us? The next ones tell.
  LineState& line = LineOf(*active);
  line.suspects.push_back(active);
  line.line.erase(std::find(line.line.begin(), line.line.end(), active));
  if (line.suspects.size() >= kSuspectsBeforeHold) {
    Hold("every record is refused: " + verdict.reason, now);
    for (auto it = line.suspects.rbegin(); it != line.suspects.rend(); ++it) {
      line.line.push_front(*it);
    }
    line.suspects.clear();
    return;
  }
  gate_.Record(limit::Effect::kTransient, verdict.reason, std::nullopt, now, around_.clock.Wall());
}

void DestinationImpl::BurySuspects(MonoTime now) {
  for (LineState& line : lines_) {
    std::deque<ActivePtr> suspects;
    suspects.swap(line.suspects);
    for (const ActivePtr& suspect : suspects) {
      line.line.push_front(suspect);
      outcome::Verdict verdict;
      verdict.reason = "refused while other records were accepted";
      verdict.problem_detail = last_error_;
      Bury(suspect, "rejected", verdict, 0, now);
    }
  }
}

void DestinationImpl::OnUnauthorized(const ActivePtr& active, const outcome::Verdict& verdict, MonoTime now) {
  if (credentials_ != nullptr && !active->other_credential_tried) {
    active->other_credential_tried = true;
    if (credentials_->TryOther()) {
      return;  // still ready: goes again at once
    }
  }
  if (credentials_ != nullptr && !active->credentials_refreshed) {
    active->credentials_refreshed = true;
    const Result<bool> changed = credentials_->Refresh();
    if (changed && *changed) {
      active->other_credential_tried = false;
      return;
    }
  }
  active->other_credential_tried = false;
  active->credentials_refreshed = false;
  Hold(verdict.reason, now);
}

void DestinationImpl::OnDeviation(const ActivePtr& active, const outcome::Verdict& verdict, MonoTime now) {
  around_.events.Raise("contract_deviation", options_.name, verdict.reason, around_.clock.Wall());
  if (!active->may_have_arrived) {
    active->may_have_arrived = true;
    ++possible_duplicates_;
  }
  if (++active->deviations > 1) {
    Hold(verdict.reason, now);
    return;
  }
  gate_.Record(limit::Effect::kTransient, verdict.reason, verdict.retry_after, now, around_.clock.Wall());
}

void DestinationImpl::Hold(const std::string& reason, MonoTime now) {
  last_error_ = reason;
  gate_.Record(limit::Effect::kHold, reason, std::nullopt, now, around_.clock.Wall());
  around_.events.Raise("destination_held", options_.name, reason, around_.clock.Wall());
}

}  // namespace packhorse::delivery
