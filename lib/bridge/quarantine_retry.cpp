#include "bridge/quarantine_retry.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "health/log.h"

namespace packhorse::bridge {
namespace {

constexpr std::uint64_t kMaxSent = 10'000;
constexpr std::size_t kMessagesAtATime = 100;  // in memory at a time; each carries a whole payload
constexpr std::chrono::seconds kLookAgain{1};

}  // namespace

struct QuarantineRetries::Job {
  RetrySelection selection;
  Done done;
  std::vector<std::string> destinations;  // left to do, the last one first
  queue::Slot after{Lane::kUrgent, 0};
  bool waits = true;  // for the queue
  bool ended = false;
  RetryReport report;

  void End(Result<RetryReport> result) {
    ended = true;
    done(std::move(result));
  }

  // The first messages of a page that are of one lane and are to be tried; `after` moves over those before them.
  std::vector<queue::QuarantinedMessage> Choose(std::vector<queue::QuarantinedMessage> page) {
    std::vector<queue::QuarantinedMessage> chosen;
    for (queue::QuarantinedMessage& message : page) {
      const bool wanted = !message.retrying && (selection.stream.empty() || message.stream == selection.stream);
      if (wanted && !chosen.empty() && chosen.front().lane != message.lane) {
        break;
      }
      if (wanted) {
        chosen.push_back(std::move(message));
      } else if (chosen.empty()) {
        after = {message.lane, message.sequence};
      }
    }
    return chosen;
  }

  void Take(const std::vector<queue::QuarantinedMessage>& chosen, const delivery::Destination::Retried& retried) {
    const auto looked_at = static_cast<std::size_t>(std::clamp<std::uint64_t>(retried.looked_at, 1, chosen.size()));
    after = {chosen.front().lane, chosen[looked_at - 1].sequence};
    report.sent += retried.sent;
    report.ended += retried.ended;
    report.stay += looked_at - std::min<std::uint64_t>(looked_at, retried.sent + retried.ended);
    if (report.still_because.empty()) {
      report.still_because = retried.still_because;
    }
  }
};

void QuarantineRetries::Begin(RetrySelection selection, Done done) {
  auto job = std::make_shared<Job>();
  job->selection = std::move(selection);
  job->done = std::move(done);
  for (const DestinationUnit& unit : destinations_.units()) {
    if (job->selection.destination.empty() || unit.config.name == job->selection.destination) {
      job->destinations.push_back(unit.config.name);
    }
  }
  if (job->destinations.empty()) {
    job->End(Error{ErrorCode::kNotFound, "no destination is named '" + job->selection.destination + "'"});
    return;
  }
  jobs_.push_back(job);
  // What is in quarantine only since the last checkpoint is to be seen, too.
  queue_.Checkpoint([job](const Status& checkpointed) {
    job->waits = false;
    if (!checkpointed) {
      job->End(checkpointed.error());
    }
  });
}

MonoTime QuarantineRetries::Step(MonoTime now, std::uint64_t reloads) {
  if (now >= next_look_) {
    next_look_ = now + kLookAgain;
    TryWaiting(now, reloads);
  }
  MonoTime next = next_look_;
  for (const std::shared_ptr<Job>& job : std::vector(jobs_)) {
    if (!job->ended && !job->waits && NextPage(job)) {
      next = now;
    }
  }
  std::erase_if(jobs_, [](const std::shared_ptr<Job>& job) { return job->ended; });
  return next;
}

bool QuarantineRetries::NextPage(const std::shared_ptr<Job>& job) {
  if (job->destinations.empty() || job->report.sent >= kMaxSent) {
    job->report.remaining = !job->destinations.empty();
    job->End(job->report);
    return false;
  }
  const DestinationUnit* unit = destinations_.Find(job->destinations.back());
  auto page = unit == nullptr ? Result<std::vector<queue::QuarantinedMessage>>(std::vector<queue::QuarantinedMessage>())
                              : queue_.QuarantinedFor(job->destinations.back(), job->selection.waiting, job->after,
                                                      kMessagesAtATime);
  if (!page) {
    job->End(page.error());
    return false;
  }
  if (page->empty()) {
    job->destinations.pop_back();
    job->after = {Lane::kUrgent, 0};
    return true;
  }
  const std::vector<queue::QuarantinedMessage> chosen = job->Choose(*std::move(page));
  if (chosen.empty()) {
    return true;
  }
  job->waits = true;
  unit->destination->RetryQuarantined(chosen, [job, chosen](const Result<delivery::Destination::Retried>& retried) {
    job->waits = false;
    if (retried) {
      job->Take(chosen, *retried);
    } else {
      job->End(retried.error());
    }
  });
  return !job->waits && !job->ended;
}

void QuarantineRetries::TryWaiting(MonoTime now, std::uint64_t reloads) {
  if (trying_ || tried_with_ == reloads || queue_.Snapshot().undecodable.empty()) {
    return;
  }
  trying_ = true;
  Begin({"", "", true}, [this, with = reloads, now](const Result<RetryReport>& report) {
    trying_ = false;
    if (!report) {
      next_look_ = now + std::chrono::minutes(1);
      return;
    }
    if (!report->remaining) {
      tried_with_ = with;
    }
    if (report->sent + report->ended > 0) {
      health::Log(health::LogLevel::kInfo, "decoded_again",
                  "messages that waited in quarantine for their stream or contract are decoded now",
                  {{"messages", std::to_string(report->sent)}});
    }
  });
}

}  // namespace packhorse::bridge
