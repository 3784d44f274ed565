#include "bridge/long_calls.h"

#include <algorithm>

namespace packhorse::bridge {
namespace {

using std::chrono::milliseconds;

// What one iteration of the loop reads of a queue that is being checked.
constexpr std::uint64_t kCheckBytes = 1ULL << 20U;
// A disk that takes longer is in trouble: what is asked then answers without it.
constexpr std::chrono::seconds kCheckpointPatience{3};
// How often a job that waits for something looks; what it waits for mostly wakes the loop anyway.
constexpr milliseconds kLookAtCalls{50};

bool Sends(limit::CircuitState state) {
  return state != limit::CircuitState::kHeld && state != limit::CircuitState::kPaused;
}

}  // namespace

bool FlushOutcome::complete() const {
  return checkpointed &&
         std::all_of(destinations.begin(), destinations.end(), [](const Part& part) { return part.complete; });
}

struct LongCalls::Flushing {
  std::function<control::Answer(const FlushOutcome&)> answer;
  std::vector<std::string> destinations;
  queue::Queue::LastNumbers last{};
  std::shared_ptr<const bool> checkpointed;
  MonoTime begun{};
  MonoTime deadline{};
};

std::shared_ptr<const bool> LongCalls::BeginCheckpoint() {
  auto checkpointed = std::make_shared<bool>(false);
  queue_.Checkpoint([checkpointed](const Status& status) { *checkpointed = static_cast<bool>(status); });
  return checkpointed;
}

void LongCalls::Flush(std::uint64_t connection, std::vector<std::string> destinations, milliseconds timeout,
                      std::function<control::Answer(const FlushOutcome&)> answer, MonoTime now) {
  for (DestinationUnit& unit : destinations_.units()) {
    if (std::find(destinations.begin(), destinations.end(), unit.config.name) != destinations.end()) {
      unit.destination->Flush();
    }
  }
  const Flushing flushing{std::move(answer), std::move(destinations), queue_.Last(), BeginCheckpoint(), now,
                          now + timeout};
  jobs_.push_back({connection, [this, flushing](MonoTime at) { return StepFlush(flushing, at); }});
}

std::optional<control::Answer> LongCalls::StepFlush(const Flushing& flushing, MonoTime now) {
  FlushOutcome outcome;
  outcome.checkpointed = *flushing.checkpointed;
  bool wait = !outcome.checkpointed;
  for (const std::string& name : flushing.destinations) {
    const DestinationUnit* unit = destinations_.Find(name);
    FlushOutcome::Part part;
    part.name = name;
    part.complete = queue_.SettledThrough(name, flushing.last);
    if (unit == nullptr) {
      part.state = "removed";  // by a reload meanwhile
    } else {
      const delivery::DestinationStatus status = unit->destination->Snapshot(now);
      part.state = limit::Name(status.state);
      part.reason = status.reason;
      part.pending = status.pending;
      wait = wait || (!part.complete && Sends(status.state));
    }
    outcome.destinations.push_back(std::move(part));
  }
  if (wait && now < flushing.deadline) {
    return std::nullopt;
  }
  outcome.waited = std::chrono::duration_cast<milliseconds>(now - flushing.begun);
  return flushing.answer(outcome);
}

struct LongCalls::Checking {
  std::function<control::Answer(const queue::CheckReport&)> answer;
  std::shared_ptr<const bool> checkpointed;
  MonoTime deadline{};                  // for the checkpoint
  std::unique_ptr<queue::Check> check;  // null: not begun
};

Status LongCalls::Verify(std::uint64_t connection, std::function<control::Answer(const queue::CheckReport&)> answer,
                         MonoTime now) {
  if (verifying_) {
    return Error{ErrorCode::kBusy, "the queue is being checked already; ask again when that has ended"};
  }
  verifying_ = true;
  auto checking = std::make_shared<Checking>();
  checking->answer = std::move(answer);
  checking->checkpointed = BeginCheckpoint();
  checking->deadline = now + kCheckpointPatience;
  jobs_.push_back({connection, [this, checking](MonoTime at) { return StepCheck(*checking, at); }});
  return {};
}

std::optional<control::Answer> LongCalls::StepCheck(Checking& checking, MonoTime now) {
  if (checking.check == nullptr) {
    if (!*checking.checkpointed && now < checking.deadline) {
      return std::nullopt;
    }
    Result<std::unique_ptr<queue::Check>> begun = queue::Check::Begin(queue_path_);
    if (!begun) {
      verifying_ = false;
      return control::Answer(begun.error().With("verify the queue"));
    }
    checking.check = *std::move(begun);
    reading_ = true;
  }
  if (!checking.check->Step(kCheckBytes)) {
    return std::nullopt;
  }
  verifying_ = false;
  reading_ = false;
  const queue::CheckReport& report = checking.check->report();
  if (!report.damage.empty()) {
    queue_.NoteDamage(report.damage);
  }
  return checking.answer(report);
}

void LongCalls::AfterCheckpoint(std::uint64_t connection, std::function<control::Answer(bool checkpointed)> answer,
                                MonoTime now) {
  const std::shared_ptr<const bool> checkpointed = BeginCheckpoint();
  const MonoTime deadline = now + kCheckpointPatience;
  jobs_.push_back(
      {connection, [answer = std::move(answer), checkpointed, deadline](MonoTime at) -> std::optional<control::Answer> {
         return *checkpointed || at >= deadline ? std::optional(answer(*checkpointed)) : std::nullopt;
       }});
}

MonoTime LongCalls::Step(MonoTime now, Ready& ready) {
  for (auto job = jobs_.begin(); job != jobs_.end();) {
    if (std::optional<control::Answer> answer = job->step(now)) {
      ready.emplace_back(job->connection, *std::move(answer));
      job = jobs_.erase(job);
    } else {
      ++job;
    }
  }
  return jobs_.empty() ? MonoTime::max() : reading_ ? now : now + kLookAtCalls;
}

}  // namespace packhorse::bridge
