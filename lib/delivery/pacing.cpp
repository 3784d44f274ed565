#include "delivery/pacing.h"

#include <algorithm>
#include <utility>

#include "base/enum_names.h"

namespace packhorse::delivery {
namespace {

constexpr EnumNames<WaitsFor, 6> kWaitNames{
    {"configured_limit", "shared_limit", "announced_limit", "first_reply", "learnt_rate", "budget"}};
constexpr int kTooManyRequests = 429;

bool MayHaveArrived(upload::Transport transport) {
  return transport == upload::Transport::kOk || transport == upload::Transport::kSendFailed ||
         upload::OutcomeUnknown(transport);
}

void Note(limit::RateLimit& limits, const Pacing::Ticket& ticket, bool arrived, MonoTime now) {
  if (arrived) {
    limits.Arrived(ticket.admitted, now);
  } else {
    limits.NeverArrived(ticket.cost, ticket.admitted);
  }
}

}  // namespace

std::string_view Name(WaitsFor what) { return kWaitNames.Of(what); }

Pacing::Pacing(std::vector<limit::Window> limits, limit::SharedLimits* shared,
               const std::optional<limit::BudgetOptions>& budget, const Clock& clock)
    : clock_(clock), limits_(std::move(limits)), shared_(shared) {
  if (budget) {
    budget_.emplace(*budget);
  }
}

// What is still under way is answered to nobody.
Pacing::~Pacing() {
  const MonoTime now = clock_.Mono();
  Announcing().Answered(under_way_, now, true, now);
}

limit::Budget::Now Pacing::BudgetNow(MonoTime now) const { return {now, clock_.Wall(), clock_.Synchronized()}; }

std::optional<Pacing::Wait> Pacing::WaitOf(const Toll& toll, MonoTime now) const {
  std::optional<Wait> longest;
  const auto look = [&](WaitsFor what, MonoTime until) {
    if (until > (longest ? longest->until : now)) {
      longest = Wait{what, until};
    }
  };
  look(WaitsFor::kConfiguredLimit, limits_.NextAdmission(toll.cost, now));
  if (shared_ != nullptr) {
    look(WaitsFor::kSharedLimit, shared_->configured.NextAdmission(toll.cost, now));
  }
  look(Announcing().awaits_first() ? WaitsFor::kFirstReply : WaitsFor::kAnnouncedLimit,
       Announcing().NextAdmission(toll.cost, now));
  look(WaitsFor::kLearntRate, learnt_.NextAdmission(now));
  look(WaitsFor::kBudget, AffordedAt(toll.link_bytes, now));
  return longest;
}

MonoTime Pacing::NextAdmission(const Toll& toll, MonoTime now) const {
  const std::optional<Wait> wait = WaitOf(toll, now);
  return wait ? wait->until : now;
}

Pacing::Ticket Pacing::Admit(const Toll& toll, MonoTime now) {
  limits_.Admit(toll.cost, now);
  learnt_.Admit(now);
  Announcing().Admit(toll.cost, now);
  if (shared_ != nullptr) {
    shared_->configured.Admit(toll.cost, now);
  }
  if (budget_) {
    budget_->Reserve(toll.link_bytes);
  }
  under_way_.requests += toll.cost.requests;
  under_way_.bytes += toll.cost.bytes;
  return {toll.cost, now, budget_ ? toll.link_bytes : 0};
}

void Pacing::Answered(const Ticket& ticket, const upload::Response& response, MonoTime now) {
  under_way_.requests -= std::min(under_way_.requests, ticket.cost.requests);
  under_way_.bytes -= std::min(under_way_.bytes, ticket.cost.bytes);
  const bool arrived = MayHaveArrived(response.transport);
  Note(limits_, ticket, arrived, now);
  Announcing().Answered(ticket.cost, ticket.admitted, arrived, now);
  if (shared_ != nullptr) {
    Note(shared_->configured, ticket, arrived, now);
  }
  if (budget_) {
    budget_->Sent(ticket.reserved, response.bytes_sent);
  }
}

void Pacing::Learn(const Ticket& ticket, const Told& told, MonoTime now) {
  using Pace = Told::Pace;
  Announcing().Note(told.announced, ticket.admitted, now);
  if (told.pace == Pace::kPassed || told.pace == Pace::kLast) {
    learnt_.Passed(now);
  }
  if (told.pace == Pace::kRefused || told.pace == Pace::kLast) {
    learnt_.Refused(now, told.wait);
  }
}

Pacing::Told::Pace Pacing::PaceOfQuestion(int status) {
  return status == kTooManyRequests ? Told::Pace::kRefused : Told::Pace::kPassed;
}

void Pacing::SetFactor(double factor) {
  limits_.SetFactor(factor);
  announced_.SetFactor(factor);
}

void Pacing::LookAtBudget(MonoTime now) {
  if (budget_) {
    budget_->Look(BudgetNow(now));
  }
}

MonoTime Pacing::AffordedAt(std::uint64_t link_bytes, MonoTime now) const {
  return !budget_ || budget_->Admits(link_bytes) ? now : now + budget_->Left(BudgetNow(now));
}

std::chrono::microseconds Pacing::BudgetLeft(MonoTime now) const {
  return std::chrono::duration_cast<std::chrono::microseconds>(budget_->Left(BudgetNow(now)));
}

Pacing::Kept Pacing::ToKeep(MonoTime now) const {
  return {budget_ ? std::optional(budget_->ToKeep()) : std::nullopt, learnt_.ToKeep(), Announcing().Now(now)};
}

void Pacing::Restore(const Kept& kept, MonoTime now) {
  if (budget_ && kept.budget) {
    budget_->Restore(*kept.budget);
  }
  learnt_.Restore(kept.rate, now);
  Announcing().Restore(kept.announced, now);
}

void Pacing::TakeOver(const Pacing& old, bool same_api) {
  limits_.TakeOver(old.limits_);
  if (same_api) {
    learnt_ = old.learnt_;
  }
  if (same_api && shared_ == nullptr) {
    announced_ = old.Announcing();
    const MonoTime now = clock_.Mono();
    announced_.Answered(old.under_way_, now, true, now);
    announced_.LeaveOthers();
  }
  if (budget_ && old.budget_) {
    budget_->Restore(old.budget_->ToKeep());
  }
}

Pacing::Forgotten Pacing::Forget(MonoTime now) {
  const Forgotten forgotten{learnt_.per_second().value_or(0), announced(now).size()};
  learnt_ = {};
  Announcing().Forget();
  return forgotten;
}

}  // namespace packhorse::delivery
