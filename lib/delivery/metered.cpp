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

void DestinationImpl::LookAtBudget(MonoTime now) {
  pacing_.LookAtBudget(now);
  if (bytes_wanted_ && pacing_.AffordedAt(*bytes_wanted_, now) <= now) {
    bytes_wanted_.reset();
    Over("budget_spent");
  }
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
  if (pacing_.AffordedAt(BytesOf(active), now) <= now || bytes_wanted_) {
    return;
  }
  bytes_wanted_ = BytesOf(active);
  const limit::Budget& budget = *pacing_.budget();
  const limit::BudgetOptions& options = budget.options();
  Tell("budget_spent", FormatBytes(budget.used()) + " of " + FormatBytes(options.bytes) + " were sent this " +
                           (options.per == limit::BudgetOptions::Per::kDay ? "day" : "month") +
                           ", and the next request does not fit: uploads wait until " +
                           FormatUtc(budget.end()).substr(0, 16) + "Z");
}

void DestinationImpl::AddCosts(DestinationStatus& status, MonoTime now) const {
  const WallTime wall = deps_.clock.Wall();
  if (const std::optional<limit::Budget>& budget = pacing_.budget()) {
    status.budget =
        BudgetStatus{budget->options(), budget->used(), bytes_wanted_.has_value(), wall + pacing_.BudgetLeft(now)};
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
  Kept kept{pacing_.ToKeep(deps_.clock.Mono()),
            sizes_.records.ToKeep(),
            sizes_.bytes.ToKeep(),
            rollout_ ? std::optional(rollout_->ToKeep()) : std::nullopt,
            concurrency_.ToKeep(),
            ""};
  if (kept.pacing.KnowsApi()) {
    kept.host = Host();
  }
  return kept;
}

void DestinationImpl::Restore(const Kept& kept) {
  const bool same_api = kept.host.empty() || kept.host == Host();
  pacing_.Restore(same_api ? kept.pacing : Pacing::Kept{kept.pacing.budget, {}, {}}, deps_.clock.Mono());
  sizes_.records.Restore(kept.records);
  sizes_.bytes.Restore(kept.bytes);
  concurrency_.Restore(kept.in_flight, deps_.clock.Mono());
  if (rollout_ && kept.rollout) {
    rollout_->Restore(*kept.rollout);
  }
}

}  // namespace packhorse::delivery
