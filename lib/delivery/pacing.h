#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "limit/announced_limits.h"
#include "limit/budget.h"
#include "limit/learnt_rate.h"
#include "limit/rate_limit.h"
#include "upload/uploader.h"

namespace packhorse::delivery {

// What a request waits for.
// kFirstReply: it tells whether the API announces limits.
enum class WaitsFor : std::uint8_t {
  kConfiguredLimit,
  kSharedLimit,
  kAnnouncedLimit,
  kFirstReply,
  kLearntRate,
  kBudget
};
// "configured_limit", "shared_limit", "announced_limit", "first_reply", "learnt_rate", "budget".
std::string_view Name(WaitsFor what);

// When a request to a destination may go, whatever it is for: within the configured limits, the announced and the
// learnt ones, those that it shares with other destinations, and the budget of the link. Loop thread.
//
//   if (pacing.NextAdmission(toll, now) <= now) { ticket = pacing.Admit(toll, now); send; }
//   ... the reply: pacing.Answered(ticket, response, now); pacing.Learn(ticket, told, now);
class Pacing {
 public:
  // What a request costs: the limits, and the link.
  struct Toll {
    limit::Cost cost;
    std::uint64_t link_bytes = 0;  // with its head; estimated
  };
  // Of a request that is under way.
  struct Ticket {
    limit::Cost cost{0, 0, 0};
    MonoTime admitted{};
    std::uint64_t reserved = 0;
  };
  // `shared`: null, or it outlives this.
  Pacing(std::vector<limit::Window> limits, limit::SharedLimits* shared,
         const std::optional<limit::BudgetOptions>& budget, const Clock& clock);
  ~Pacing();
  Pacing(const Pacing&) = delete;
  Pacing& operator=(const Pacing&) = delete;

  // What holds it longest, and until when; none: it may go. What the budget does not admit waits for its next period.
  struct Wait {
    WaitsFor what{};
    MonoTime until{};
  };
  std::optional<Wait> WaitOf(const Toll& toll, MonoTime now) const;
  // `now` or later.
  MonoTime NextAdmission(const Toll& toll, MonoTime now) const;
  // REQUIRES: NextAdmission(toll, now) <= now.
  Ticket Admit(const Toll& toll, MonoTime now);
  // It is under way no longer, whatever became of it.
  void Answered(const Ticket& ticket, const upload::Response& response, MonoTime now);

  // --- what a reply teaches ---
  struct Told {
    std::vector<limit::Announcement> announced;
    enum class Pace : std::uint8_t {
      kPassed,
      kLast,     // it passed, and nothing more does for now
      kRefused,  // for the rate
      kUnclear,  // refused, and that says nothing of the rate
    };
    Pace pace = Pace::kPassed;
    std::optional<std::chrono::milliseconds> wait = std::nullopt;  // that it asks for
  };
  void Learn(const Ticket& ticket, const Told& told, MonoTime now);
  // Of a reply to what no response rule judges: a question about a batch, or of what the API has.
  static Told::Pace PaceOfQuestion(int status);

  // The share of the limits to use (limit::RateLimit::SetFactor): not of those that are shared.
  void SetFactor(double factor);

  // --- the budget ---
  // Begins another period when it is time.
  void LookAtBudget(MonoTime now);
  MonoTime AffordedAt(std::uint64_t link_bytes, MonoTime now) const;
  // Until its next period. REQUIRES: there is one.
  std::chrono::microseconds BudgetLeft(MonoTime now) const;
  const std::optional<limit::Budget>& budget() const { return budget_; }

  // --- what is known of the API ---
  std::optional<double> learnt_per_second() const { return learnt_.per_second(); }
  std::vector<limit::Announcement> announced(MonoTime now) const { return Announcing().Now(now); }
  struct Kept {
    std::optional<limit::Budget::Kept> budget;
    limit::LearntRate::Kept rate;
    std::vector<limit::Announcement> announced;  // as if now

    bool KnowsApi() const { return rate != limit::LearntRate::Kept{} || !announced.empty(); }
    bool operator==(const Kept&) const = default;
  };
  Kept ToKeep(MonoTime now) const;
  void Restore(const Kept& kept, MonoTime now);
  // `same_api`: what the old one was told of its API holds here, too. What is shared stays as it is.
  void TakeOver(const Pacing& old, bool same_api);
  // What the API announced, also to those that share it, and what was learnt of it.
  struct Forgotten {
    double requests_per_second = 0;  // 0: nothing was learnt
    std::size_t announced = 0;
  };
  Forgotten Forget(MonoTime now);

 private:
  limit::AnnouncedLimits& Announcing() { return shared_ != nullptr ? shared_->announced : announced_; }
  const limit::AnnouncedLimits& Announcing() const { return shared_ != nullptr ? shared_->announced : announced_; }
  limit::Budget::Now BudgetNow(MonoTime now) const;

  const Clock& clock_;
  limit::RateLimit limits_;
  limit::AnnouncedLimits announced_;  // unless they are shared
  limit::LearntRate learnt_;
  limit::SharedLimits* shared_;
  std::optional<limit::Budget> budget_;
  limit::Cost under_way_{0, 0, 0};
};

}  // namespace packhorse::delivery
