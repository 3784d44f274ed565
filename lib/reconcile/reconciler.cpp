#include "reconcile/reconciler.h"

#include <algorithm>
#include <utility>

#include "base/enum_names.h"
#include "health/log.h"
#include "outcome/reply_words.h"
#include "outcome/wait_hints.h"

namespace packhorse::reconcile {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::minutes kSettleFirst{10};  // after a start other things matter more
constexpr std::uint64_t kSpreadSeconds = 3'000;   // not all gateways at once when the power is back
constexpr std::chrono::minutes kLook{1};
constexpr std::chrono::hours kAgainAfterFailure{1};
constexpr std::chrono::minutes kAskPatience{5};
constexpr std::chrono::hours kRunPatience{1};
// A page that fails is asked for again: it may have been a passing fault, or a reload.
constexpr std::chrono::seconds kAgain{10};
constexpr std::chrono::minutes kLongestWait{10};
constexpr std::uint32_t kFailuresOfAPage = 3;
constexpr int kTimeoutStatus = 408;
constexpr int kTooManyStatus = 429;
constexpr int kNotFoundStatus = 404;
constexpr int kMethodStatus = 405;
constexpr int kNotImplementedStatus = 501;

WallTime BeginOf(std::int32_t hour) { return WallTime(std::chrono::hours(hour)); }

std::string SubjectOf(const std::string& destination, const StreamHour& of) {
  return destination + "/" + of.stream + "/" + HourText(of.hour);
}

}  // namespace

std::string_view Name(Report::State state) {
  static constexpr EnumNames<Report::State, 4> kNames{{"equal", "differs", "failed", "not_offered"}};
  return kNames.Of(state);
}

std::string_view Name(Difference::What what) {
  static constexpr EnumNames<Difference::What, 4> kNames{{"missing", "extra", "other", "sum"}};
  return kNames.Of(what);
}

std::string HourText(std::int32_t hour) { return FormatUtc(BeginOf(hour)).substr(0, 19) + "Z"; }

std::string ReplayCommand(const std::string& destination, const Difference& difference) {
  if (difference.what == Difference::What::kExtra || difference.what == Difference::What::kSum) {
    return "";
  }
  return "packhorse replay --stream " + difference.of.stream + " --destination " + destination + " --from " +
         HourText(difference.of.hour) + " --to " + HourText(difference.of.hour + 1);
}

std::string Sentence(const Difference& difference) {
  std::string text = difference.of.stream + ", hour " + HourText(difference.of.hour) + ": " +
                     std::to_string(difference.ours) + " records were delivered, the cloud has ";
  switch (difference.what) {
    case Difference::What::kMissing:
    case Difference::What::kExtra:
      return text + std::to_string(difference.theirs);
    case Difference::What::kOther:
      return text + "as many, but not the same ones";
    case Difference::What::kSum:
      break;
  }
  text += "as many, but not the same values";
  for (const Difference::Sum& sum : difference.sums) {
    text += "; the sum of " + sum.measurement + " was " + sum.ours.ToText() + ", the cloud has " + sum.theirs.ToText();
  }
  return text;
}

// A comparison under way.
struct Reconciler::Run {
  Target target;
  Done done;
  Report report;
  bool whole = false;  // all that the cloud knows of
  std::int32_t first = 0;
  std::int32_t end = 0;
  MonoTime until{};
  std::string cursor;                // of the page that is asked for
  std::uint32_t failures = 0;        // of this page
  std::optional<MonoTime> again_at;  // it is asked for again then
  CloudHours theirs;
  DeliveredHours before;
  DeliveredHours after;
  std::set<StreamHour> in_batches;
};

Reconciler::Reconciler(Surroundings& surroundings, health::Events& events, const Clock& clock, std::uint64_t seed)
    : surroundings_(surroundings),
      events_(events),
      clock_(clock),
      first_at_(clock.Mono() + kSettleFirst + std::chrono::seconds(Random(seed).UpTo(kSpreadSeconds))) {}

Status Reconciler::Start(const std::string& destination, std::optional<WallTime> from, std::optional<WallTime> to,
                         Done done) {
  const std::vector<Target> targets = surroundings_.Targets();
  if (std::none_of(targets.begin(), targets.end(), [&](const Target& each) { return each.name == destination; })) {
    return Error{ErrorCode::kNotFound, "no destination is named '" + destination + "'"};
  }
  if (from && to && *from >= *to) {
    return Error{ErrorCode::kInvalidArgument, "the time to compare is empty: it begins where it ends, or later"};
  }
  if (waiting_.size() >= kMaxWaiting) {
    return Error{ErrorCode::kBusy, "too many comparisons wait"};
  }
  waiting_.push_back({destination, from, to, std::move(done)});
  next_look_ = {};
  return {};
}

bool Reconciler::Due(const Target& target, MonoTime now) const {
  if (target.every <= 0ms || target.contract->reconcile() == nullptr || now < first_at_) {
    return false;
  }
  if (const auto failed = failed_at_.find(target.name); failed != failed_at_.end()) {
    return now >= failed->second + kAgainAfterFailure;
  }
  const auto kept = kept_.find(target.name);
  const WallTime wall = clock_.Wall();
  return kept == kept_.end() || kept->second.last_at > wall || wall - kept->second.last_at >= target.every ||
         (kept->second.differed && !seen_equal_or_told_.contains(target.name));
}

// What was delivered to another address, or under another name, is not looked for here.
void Reconciler::FollowTargets(const std::vector<Target>& targets) {
  for (const Target& target : targets) {
    const auto [kept, fresh] = kept_.try_emplace(target.name);
    KeptRun& run = kept->second;
    const bool same = run.url == target.url && run.gateway == target.gateway.gateway_id;
    if (!fresh && !same) {
      run = KeptRun{.since = queue::HourOf(clock_.Wall()) + 1};
      open_.erase(target.name);
      events_.ResolveIf(
          [&](const health::Event& event, const health::EventKind& kind) {
            return kind.name == "reconciliation_gap" && event.subject.starts_with(target.name + "/");
          },
          clock_.Wall());
    }
    run.since = std::min(run.since, queue::HourOf(clock_.Wall()) + 1);
    run.url = target.url;
    run.gateway = target.gateway.gateway_id;
  }
  const auto gone = [&](const std::string& name) {
    return std::none_of(targets.begin(), targets.end(), [&](const Target& each) { return each.name == name; });
  };
  std::erase_if(kept_, [&](const auto& each) { return gone(each.first); });
  std::erase_if(failed_at_, [&](const auto& each) { return gone(each.first); });
  std::erase_if(open_, [&](const auto& each) {
    if (!gone(each.first)) {
      return false;
    }
    for (const StreamHour& of : each.second) {
      events_.Resolve("reconciliation_gap", SubjectOf(each.first, of), clock_.Wall());
    }
    events_.Resolve("reconciliation_failed", each.first, clock_.Wall());
    return true;
  });
}

MonoTime Reconciler::Step(MonoTime now) {
  if (run_ != nullptr) {
    if (now >= run_->until) {
      const RunPtr run = run_;
      End(run, Report::State::kFailed, "it took longer than an hour");
    } else if (run_->again_at && now >= *run_->again_at) {
      run_->again_at.reset();
      AskPage(run_, run_->cursor);
      return run_->until;
    } else {
      return std::min(run_->until, run_->again_at.value_or(run_->until));
    }
  }
  if (now < next_look_) {
    return next_look_;
  }
  next_look_ = now + kLook;
  const std::vector<Target> targets = surroundings_.Targets();
  FollowTargets(targets);
  while (!waiting_.empty() && run_ == nullptr) {
    Wanted wanted = std::move(waiting_.front());
    waiting_.pop_front();
    const auto target = std::find_if(targets.begin(), targets.end(),
                                     [&](const Target& each) { return each.name == wanted.destination; });
    if (target != targets.end()) {
      Begin(*target, std::move(wanted), now);
    } else if (wanted.done) {
      wanted.done(Report{wanted.destination, Report::State::kFailed, "the destination is not configured any more"});
    }
  }
  for (const Target& target : targets) {
    if (run_ == nullptr && Due(target, now)) {
      Begin(target, Wanted{target.name, std::nullopt, std::nullopt, {}}, now);
    }
  }
  return run_ == nullptr ? next_look_ : run_->until;
}

void Reconciler::Begin(const Target& target, Wanted wanted, MonoTime now) {
  auto run = std::make_shared<Run>();
  run->target = target;
  run->done = std::move(wanted.done);
  run->report.destination = target.name;
  run->until = now + kRunPatience;
  run->whole = !wanted.from && !wanted.to;
  run_ = run;
  const contract::ReconcileRules* rules = target.contract->reconcile();
  if (rules == nullptr) {
    End(run, Report::State::kNotOffered, target.contract->name() + " does not say how to ask what the cloud has");
    return;
  }
  const WallTime wall = clock_.Wall();
  const std::int32_t present = queue::HourOf(wall);
  const std::int32_t oldest = std::max(queue::HourOf(wall - rules->oldest) + 1, kept_[target.name].since);
  run->first = std::max(oldest, wanted.from ? queue::HourOf(*wanted.from) : oldest);
  run->end = wanted.to ? std::min(queue::HourOf(*wanted.to - 1us) + 1, present + 1) : present;
  run->report.from = BeginOf(run->first);
  run->report.to = BeginOf(std::max(run->first, run->end));
  if (run->first >= run->end) {
    End(run, Report::State::kEqual, "");
    return;
  }
  ReadLedger(run, &Run::before, [this, run] { AskPage(run, ""); });
}

void Reconciler::ReadLedger(const RunPtr& run, DeliveredHours Run::*into, std::function<void()> then) {
  surroundings_.ReadLedger(
      run->target.name, run->first, run->end,
      [this, run, into, then = std::move(then), alive = std::weak_ptr<bool>(alive_)](Result<DeliveredHours> hours) {
        if (alive.expired() || run_ != run) {
          return;
        }
        if (!hours) {
          End(run, Report::State::kFailed, hours.error().message);
          return;
        }
        (*run).*into = *std::move(hours);
        then();
      });
}

void Reconciler::AskPage(const RunPtr& run, std::string cursor) {
  run->cursor = std::move(cursor);
  const contract::ReconcileQuestion question{run->target.gateway, run->report.from, run->report.to, run->cursor};
  surroundings_.Ask(run->target.name, run->target.contract->RenderReconcile(question), clock_.Mono() + kAskPatience,
                    [this, run, alive = std::weak_ptr<bool>(alive_)](const Result<outcome::Reply>& reply) {
                      if (!alive.expired() && run_ == run) {
                        OnReply(run, reply);
                      }
                    });
}

// True: the same page is asked for again, as what went wrong may be over by then.
bool Reconciler::TriesAgain(const RunPtr& run, const Result<outcome::Reply>& reply) {
  std::chrono::milliseconds wait = kAgain;
  if (reply) {
    const bool passes = reply->status >= 500 || reply->status == kTooManyStatus || reply->status == kTimeoutStatus;
    if (!passes || reply->status == kNotImplementedStatus) {
      return false;
    }
    wait = std::max(wait, outcome::ReadWaitHints(*reply, clock_.Wall()).retry_after.value_or(wait));
  }
  if (wait > kLongestWait || ++run->failures > kFailuresOfAPage) {
    return false;
  }
  run->again_at = clock_.Mono() + wait;
  return true;
}

void Reconciler::OnReply(const RunPtr& run, const Result<outcome::Reply>& reply) {
  if (TriesAgain(run, reply)) {
    return;
  }
  if (!reply) {
    End(run, Report::State::kFailed, reply.error().message);
    return;
  }
  const int status = reply->status;
  if (status == kNotFoundStatus || status == kMethodStatus || status == kNotImplementedStatus) {
    End(run, Report::State::kNotOffered, "the cloud does not tell what it has: status " + std::to_string(status));
    return;
  }
  if (status != 200) {
    const std::string words = outcome::ReadProblem(*reply).detail;
    End(run, Report::State::kFailed,
        "the cloud answers with status " + std::to_string(status) + (words.empty() ? "" : ": " + words));
    return;
  }
  Result<std::string> next = ReadPage(*run->target.contract->reconcile(), run->target.sums, *reply, run->theirs);
  if (!next) {
    End(run, Report::State::kFailed, "the reply is not as the contract says: " + next.error().message);
    return;
  }
  run->failures = 0;
  ++run->report.pages;
  if (!next->empty() && run->report.pages >= kMaxPages) {
    End(run, Report::State::kFailed, "the cloud has more than " + std::to_string(kMaxPages) + " pages");
    return;
  }
  if (!next->empty()) {
    AskPage(run, *std::move(next));
    return;
  }
  // First what is under way, then what is written down: what ends in between is in neither, and unsure for that.
  run->in_batches = surroundings_.InBatches(run->target.name);
  ReadLedger(run, &Run::after, [this, run] { OnCounted(run); });
}

void Reconciler::OnCounted(const RunPtr& run) {
  run->report.found = Compare({run->before, run->after, run->in_batches}, run->theirs, run->first, run->end);
  Tell(*run);
  End(run, run->report.found.differences.empty() ? Report::State::kEqual : Report::State::kDiffers, "");
}

// Events of hours that were not looked at stay as they are, unless the cloud tells of them no more.
void Reconciler::Tell(const Run& run) {
  const Comparison& found = run.report.found;
  const WallTime wall = clock_.Wall();
  const std::string& name = run.target.name;
  const std::int32_t oldest = queue::HourOf(wall - run.target.contract->reconcile()->oldest) + 1;
  std::set<StreamHour> differ;
  for (const Difference& difference : found.differences) {
    differ.insert(difference.of);
  }
  std::set<StreamHour>& open = open_[name];
  std::erase_if(open, [&](const StreamHour& of) {
    const bool looked_at = of.hour >= run.first && of.hour < run.end && !found.unsure.contains(of);
    const bool over = of.hour < oldest || (looked_at && !differ.contains(of));
    if (over) {
      events_.Resolve("reconciliation_gap", SubjectOf(name, of), wall);
    }
    return over;
  });
  for (const Difference& difference : found.differences) {
    if (!open.contains(difference.of) && open.size() >= kMaxEvents) {
      continue;
    }
    open.insert(difference.of);
    std::string text = name + ": " + Sentence(difference);
    const std::string command = ReplayCommand(name, difference);
    if (!command.empty() && run.target.replayable.contains(difference.of.stream)) {
      text += "; send it again with: " + command;
    } else if (!command.empty()) {
      text += "; its stream has no retain_delivered, so what was delivered is not kept; with it, this would send it " +
              std::string("again: ") + command;
    }
    events_.Follow(true, "reconciliation_gap", SubjectOf(name, difference.of), text, wall);
  }
  if (found.differences.size() > open.size()) {
    health::Log(health::LogLevel::kWarning, "reconciliation_gaps",
                "more hours differ than there are events: packhorse reconcile lists them",
                {{"destination", name}, {"hours", std::to_string(found.differences.size())}});
  }
}

void Reconciler::End(const RunPtr& run, Report::State state, std::string problem) {
  run_ = nullptr;
  next_look_ = {};
  Report& report = run->report;
  report.state = state;
  report.problem = std::move(problem);
  const WallTime wall = clock_.Wall();
  const std::string& name = run->target.name;
  const bool failed = state == Report::State::kFailed;
  if (failed) {
    failed_at_[name] = clock_.Mono();
  } else {
    failed_at_.erase(name);
    KeptRun& kept = kept_[name];
    kept.last_at = run->whole ? wall : kept.last_at;
    kept.differed = !open_[name].empty();
    seen_equal_or_told_.insert(name);
  }
  events_.Follow(failed, "reconciliation_failed", name,
                 "what the cloud has could not be compared with what was delivered: " + report.problem, wall);
  health::Log(failed ? health::LogLevel::kWarning : health::LogLevel::kInfo, "reconciled",
              report.problem.empty() ? "what the cloud has was compared with what was delivered" : report.problem,
              {{"destination", name},
               {"state", std::string(Name(state))},
               {"hours", std::to_string(report.found.equal)},
               {"differences", std::to_string(report.found.differences.size())}});
  if (run->done) {
    run->done(report);
  }
}

}  // namespace packhorse::reconcile
