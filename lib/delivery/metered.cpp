// What the link costs: budget, windows and proxy of DestinationImpl, and what of it outlives a restart.

#include <algorithm>
#include <utility>

#include "auth/secret.h"
#include "base/units.h"
#include "delivery/destination.h"

namespace packhorse::delivery {

Status DestinationImpl::ReadProxyPassword() {
  if (options_.proxy_password.kind == auth::SecretSource::Kind::kNone) {
    return {};
  }
  const Result<auth::Secret> password = auth::ReadSecret(options_.proxy_password);
  if (!password) {
    return password.error().With("the password of the proxy");
  }
  options_.endpoint.proxy.password = password->Reveal();
  first_contact_.SetEndpoint(options_.endpoint);
  return {};
}

limit::Budget::Now DestinationImpl::BudgetNow(MonoTime now) const {
  return {now, deps_.clock.Wall(), deps_.clock.Synchronized()};
}

void DestinationImpl::LookAtBudget(MonoTime now) {
  if (bytes_budget_) {
    bytes_budget_->Look(BudgetNow(now));
  }
  if (bytes_wanted_ && (!bytes_budget_ || bytes_budget_->Admits(*bytes_wanted_))) {
    bytes_wanted_.reset();
    Over("budget_spent");
  }
}

MonoTime DestinationImpl::AffordedAt(std::uint64_t bytes, MonoTime now) const {
  return !bytes_budget_ || bytes_budget_->Admits(bytes) ? now : now + bytes_budget_->Left(BudgetNow(now));
}

MonoTime DestinationImpl::OpenAt(Lane lane, MonoTime now) const {
  const std::vector<limit::DayWindow>& windows = options_.windows.at(static_cast<std::size_t>(lane));
  if (windows.empty()) {
    return now;
  }
  const WallTime wall = deps_.clock.Wall();
  return now + limit::UntilOpen(windows, wall, limit::LocalOffset(wall));
}

void DestinationImpl::TellBudgetSpent(const Active& active, MonoTime now) {
  if (AffordedAt(BytesOf(active), now) <= now || bytes_wanted_) {
    return;
  }
  bytes_wanted_ = BytesOf(active);
  const limit::BudgetOptions& options = bytes_budget_->options();
  Tell("budget_spent", FormatBytes(bytes_budget_->used()) + " of " + FormatBytes(options.bytes) + " were sent this " +
                           (options.per == limit::BudgetOptions::Per::kDay ? "day" : "month") +
                           ", and the next request does not fit: uploads wait until " +
                           FormatUtc(bytes_budget_->end()).substr(0, 16) + "Z");
}

void DestinationImpl::ReserveBudget(Active& active, std::uint64_t bytes) {
  if (bytes_budget_) {
    active.reserved = bytes;
    bytes_budget_->Reserve(active.reserved);
  }
}

void DestinationImpl::CountBudget(Active& active, std::uint64_t bytes) {
  if (bytes_budget_) {
    bytes_budget_->Sent(std::exchange(active.reserved, 0), bytes);
  }
}

void DestinationImpl::AddCosts(DestinationStatus& status, MonoTime now) const {
  const WallTime wall = deps_.clock.Wall();
  if (bytes_budget_) {
    const auto left = std::chrono::duration_cast<std::chrono::microseconds>(bytes_budget_->Left(BudgetNow(now)));
    status.budget =
        BudgetStatus{bytes_budget_->options(), bytes_budget_->used(), bytes_wanted_.has_value(), wall + left};
  }
  for (const Lane lane : kAllLanes) {
    const MonoTime at = OpenAt(lane, now);
    const queue::PendingStats waiting = deps_.queue.Waiting(options_.name, lane);
    if (at > now && waiting.messages + waiting.prepared_messages > 0) {
      status.opens.at(static_cast<std::size_t>(lane)) =
          wall + std::chrono::duration_cast<std::chrono::microseconds>(at - now);
    }
  }
}

Kept DestinationImpl::ToKeep() const {
  return {bytes_budget_ ? std::optional(bytes_budget_->ToKeep()) : std::nullopt,
          sizes_.records.ToKeep(),
          sizes_.bytes.ToKeep(),
          learnt_rate_.ToKeep(),
          rollout_ ? std::optional(rollout_->ToKeep()) : std::nullopt,
          concurrency_.ToKeep()};
}

void DestinationImpl::Restore(const Kept& kept) {
  if (bytes_budget_ && kept.budget) {
    bytes_budget_->Restore(*kept.budget);
  }
  sizes_.records.Restore(kept.records);
  sizes_.bytes.Restore(kept.bytes);
  learnt_rate_.Restore(kept.rate, deps_.clock.Mono());
  concurrency_.Restore(kept.in_flight, deps_.clock.Mono());
  if (rollout_ && kept.rollout) {
    rollout_->Restore(*kept.rollout);
  }
}

}  // namespace packhorse::delivery
