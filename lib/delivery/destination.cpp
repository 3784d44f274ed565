#include "delivery/destination.h"

#include <algorithm>
#include <utility>

#include "base/random.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kRetryFloorPerMinute = 30;
constexpr std::uint32_t kSearchFloorPerMinute = 120;

// The search for what is refused must not cost what delivery needs.
std::vector<limit::Window> TenthOf(std::vector<limit::Window> windows) {
  for (limit::Window& window : windows) {
    window.count = std::max<std::uint64_t>(1, window.count / 10);
  }
  return windows;
}

}  // namespace

DestinationImpl::DestinationImpl(Options options, std::unique_ptr<auth::Authorizer> authorizer,
                                 Dependencies dependencies)
    : options_(std::move(options)),
      authorizer_(std::move(authorizer)),
      deps_(dependencies),
      rollout_(options_.rollout ? std::optional<Rollout>(std::in_place, *options_.rollout, options_.contract->name())
                                : std::nullopt),
      builder_(OptionsOfBuilder(), deps_.queue, deps_.streams, deps_.clock),
      breaker_(options_.breaker, RandomSeed()),
      budget_(options_.retry_budget, kRetryFloorPerMinute),
      concurrency_(options_.max_in_flight),
      pacing_(options_.limits, deps_.shared, options_.budget, deps_.clock),
      scheduler_(options_.backfill_share),
      first_contact_(deps_.uploader, options_.endpoint),
      search_budget_(options_.retry_budget, kSearchFloorPerMinute),
      search_limits_(TenthOf(options_.limits)),
      random_(RandomSeed()),
      inquirer_({options_.endpoint, *options_.contract, *authorizer_, pacing_, breaker_, deps_.uploader, deps_.clock}) {
}

BuilderOptions DestinationImpl::OptionsOfBuilder() {
  const auto left_out = [this](const std::string& record_id, const contract::RenderedRecord& record) {
    Tell("items_left_out", record_id + ": " + std::to_string(record.unfit_items) + " items: " + record.reason +
                               (record.detail.empty() ? "" : ": " + record.detail));
  };
  return BuilderOptions{options_.name,
                        options_.gateway_id,
                        options_.gateway_attributes,
                        options_.contract,
                        options_.settings,
                        options_.coding,
                        options_.backfill_after,
                        options_.accepted,
                        left_out,
                        rollout_ ? &*rollout_ : nullptr};
}

Status DestinationImpl::Start() {
  RETURN_IF_ERROR(ReadProxyPassword());
  Result<std::vector<queue::PreparedBatch>> batches = deps_.queue.PreparedBatches(options_.name);
  if (!batches) {
    return batches.error().With("destination " + options_.name);
  }
  for (queue::PreparedBatch& batch : *batches) {
    auto active = std::make_shared<Active>();
    active->may_have_arrived = batch.maybe_sent;
    active->from_before = batch.maybe_sent;
    active->batch = std::move(batch);
    active->batch.born = builder_.BornOf(active->batch);
    if (active->batch.suspect) {
      active->suspicion.emplace();
      trying_.push_back(std::move(active));
    } else {
      LineOf(*active).line.push_back(std::move(active));
    }
  }
  if (Status learnt = LearnSuspects(true); !learnt) {
    return learnt.error().With("destination " + options_.name);
  }
  if (!suspect_ids_.empty()) {
    Tell("suspects", "records that were set aside earlier: " + std::to_string(suspect_ids_.size()));
  }
  return {};
}

// What waits for its confirmation would be sent again: it holds nobody up.
bool DestinationImpl::idle() const {
  const auto waits = [](const ActivePtr& active) {
    return active->state == Active::State::kReady || active->state == Active::State::kConfirming;
  };
  return in_flight_ == 0 && !taking_suspect_ && std::all_of(trying_.begin(), trying_.end(), waits) &&
         std::all_of(lines_.begin(), lines_.end(), [&](const LineState& state) {
           return !state.preparing && std::all_of(state.line.begin(), state.line.end(), waits);
         });
}

MonoTime DestinationImpl::Step(MonoTime now) {
  breaker_.Tick(now);
  pacing_.SetFactor(breaker_.RampFactor(now));
  LookAtBudget(now);
  SplitAfterOutage();
  MonoTime next = StepRollout(now);
  AskInTurn(now);
  if (TurnIsKnown(now)) {
    const std::uint64_t before = traffic_.requests;
    SendInTurn(now);
    if (traffic_.requests != before) {
      return now;  // the uploader sends it, and the cloud works while the next batch is made
    }
  }
  for (std::size_t i = 0; i < batch::kLines; ++i) {
    next = std::min(next, PrepareLine(batch::LineAt(i), now));
  }
  next = std::min(next, SettleUnsent(now));
  next = std::min(next, StepAuthorization(now));
  if (authorizer_->ready(now)) {
    next = std::min(next, RetrySuspects(now));
    next = std::min(next, StepConfirmations(now));
    next = std::min(next, SendInTurn(now));
  } else {
    waits_.reset();
  }
  next = std::min(next, inquirer_.Step(draining_, now));
  next = std::min(next, first_contact_.Step(traffic_.requests == 0 && !draining_ && breaker_.MaySend(now), now));
  next = std::min(next, LookAtTimes(now));
  EndRefusals(now);
  builder_.ForgetOldLook();
  if (flush_ && std::all_of(kAllLanes.begin(), kAllLanes.end(),
                            [&](Lane lane) { return deps_.queue.Waiting(options_.name, lane).messages == 0; })) {
    flush_ = false;
  }
  return next;
}

// Batches that follow each other leave a question no place between them: after one of them it goes first.
void DestinationImpl::AskInTurn(MonoTime now) {
  const std::uint64_t asked = inquirer_.asked();
  if (traffic_.requests != requests_before_question_) {
    inquirer_.Step(draining_, now);
  }
  if (inquirer_.asked() != asked) {
    requests_before_question_ = traffic_.requests;
  }
}

void DestinationImpl::Nudge(MonoTime now) {
  RefreshSecrets();
  for (const LineState& state : lines_) {
    for (const ActivePtr& active : state.line) {
      active->other_credential_tried = false;
      active->credentials_refreshed = false;
    }
  }
  evidence_.Nudge(now);
  breaker_.Nudge(now);
}

void DestinationImpl::Pause(std::optional<std::chrono::milliseconds> duration, MonoTime now) {
  breaker_.Pause(duration ? std::optional(now + *duration) : std::nullopt, deps_.clock.Wall());
}

Pacing::Forgotten DestinationImpl::Resume(MonoTime now) {
  evidence_.Nudge(now);
  breaker_.Resume(now);
  return pacing_.Forget(now);
}

void DestinationImpl::RedriveDead(const std::vector<queue::DeadLetter>& letters,
                                  std::function<void(Result<std::uint32_t>)> done) {
  if (options_.keeps_order) {
    done(MustNotOvertake());
    return;
  }
  std::map<Lane, std::vector<queue::DeadLetter>> by_lane;
  for (const queue::DeadLetter& letter : letters) {
    by_lane[letter.lane].push_back(letter);
  }
  if (by_lane.empty()) {
    done(0U);
    return;
  }
  if (by_lane.size() > 1 || letters.size() > BatchLimits().max_records) {
    done(Error{ErrorCode::kLimitExceeded,
               "replay dead letters of one lane, at most " + std::to_string(BatchLimits().max_records) + " at a time"});
    return;
  }
  const Lane lane = by_lane.begin()->first;
  Result<std::vector<BatchBuilder::Redriven>> redriven = builder_.Replay(lane, letters);
  if (!redriven) {
    done(redriven.error());
    return;
  }
  // One of them may fail, or the destination be rebuilt meanwhile: who asked is told once, when all are through.
  struct Progress {
    std::size_t open = 0;
    std::uint32_t records = 0;
    std::optional<Error> error;
    std::function<void(Result<std::uint32_t>)> done;
  };
  auto progress = std::make_shared<Progress>(Progress{redriven->size(), 0, std::nullopt, std::move(done)});
  const bool mended = std::any_of(letters.begin(), letters.end(), [](const auto& letter) { return letter.mended; });
  for (BatchBuilder::Redriven& part : *redriven) {
    auto active = std::make_shared<Active>();
    active->batch = *part.batch;
    active->mended = mended;
    deps_.queue.RedriveDead(
        std::move(part.letters), std::move(part.batch),
        [this, active, progress, alive = std::weak_ptr<bool>(alive_)](const Result<queue::BatchId>& id) {
          if (!id) {
            progress->error = id.error();
          } else {
            progress->records += active->batch.records;
          }
          if (id && !alive.expired()) {
            active->batch.id = *id;
            LineOf(*active).line.push_back(active);
          }
          if (--progress->open == 0) {
            progress->done(progress->error ? Result<std::uint32_t>(*progress->error) : progress->records);
          }
        });
  }
}

void DestinationImpl::Ask(Inquiry inquiry, MonoTime until, std::function<void(Result<upload::Response>)> done) {
  inquirer_.Ask(std::move(inquiry), until, std::move(done));
}

std::uint64_t DestinationImpl::BacklogMessages(const DestinationStatus& status) const {
  if (!options_.live_first) {
    const bool late = deps_.clock.Wall() - status.oldest_at >= options_.backfill_after;
    return late ? status.pending - status.suspects : 0;  // what is set aside goes at its own pace
  }
  std::uint64_t messages = 0;
  for (std::size_t i = 0; i < batch::kLines; ++i) {
    const batch::Line at = batch::LineAt(i);
    if (!at.backlog) {
      continue;
    }
    messages += deps_.queue.Waiting(options_.name, PartOf(at)).messages;
    for (const ActivePtr& active : StateOf(at).line) {
      messages += active->batch.members.size();
    }
  }
  return messages;
}

DestinationStatus DestinationImpl::Snapshot(MonoTime now) const {
  DestinationStatus status;
  status.name = options_.name;
  status.url = options_.endpoint.base_url;
  status.state = breaker_.state();
  status.reason = breaker_.reason();
  status.since = breaker_.since();
  status.suspects = deps_.suspects.SuspectCount(options_.name);
  status.pending = status.suspects;
  for (const Lane lane : kAllLanes) {
    const queue::PendingStats waiting = deps_.queue.Waiting(options_.name, lane);
    status.pending += waiting.messages + waiting.prepared_messages;
    status.in_flight += waiting.prepared_messages;
  }
  if (status.pending > 0 && status.state != limit::CircuitState::kOk && !breaker_.MaySend(now)) {
    if (const std::optional<MonoTime> next = breaker_.NextSend(now)) {
      status.next_attempt_in = std::chrono::duration_cast<std::chrono::milliseconds>(*next - now);
    }
  } else if (waits_ && waits_->until > now) {
    status.next_attempt_in = std::chrono::ceil<std::chrono::milliseconds>(waits_->until - now);
    status.waits_for = waits_->what;
  }
  status.oldest_at = deps_.queue.OldestPending(options_.name);
  status.backlog = BacklogMessages(status);
  status.backlog_eta = status.backlog > 0 ? drained_.Eta(status.backlog, now) : std::nullopt;
  status.share_refused = evidence_.share_refused(now);
  status.learnt_max_records = sizes_.records.learnt() ? BatchLimits().max_records : 0;
  status.learnt_max_bytes = sizes_.bytes.learnt() ? BatchLimits().max_bytes : 0;
  status.learnt_requests_per_second = pacing_.learnt_per_second().value_or(0);
  status.announced = pacing_.announced(now);
  traffic_.Show(status, now);
  status.requests_in_flight = in_flight_;
  status.max_in_flight = concurrency_.most();
  status.learnt_in_flight = concurrency_.limit();
  status.learnt_max_in_flight = concurrency_.refused_above();
  status.reached = first_contact_.reached();
  status.unreachable = first_contact_.reached() ? "" : first_contact_.error();
  AddCosts(status, now);
  status.last_success_at = last_success_at_;
  status.last_error = last_error_;
  status.deprecation = deprecation_.notice();
  status.certificate_ends = certificate_ends_;
  if (rollout_) {
    status.rollout = rollout_->Snapshot();
  }
  return status;
}

Result<std::unique_ptr<Destination>> MakeDestination(Options options, std::unique_ptr<auth::Authorizer> authorizer,
                                                     Dependencies dependencies) {
  if (authorizer == nullptr) {
    Result<std::unique_ptr<auth::Authorizer>> none = auth::Authorizer::Make({});
    RETURN_IF_ERROR(none);
    authorizer = std::move(none).value();
  }
  auto destination = std::make_unique<DestinationImpl>(std::move(options), std::move(authorizer), dependencies);
  RETURN_IF_ERROR(destination->Start());
  return std::unique_ptr<Destination>(std::move(destination));
}

}  // namespace packhorse::delivery
