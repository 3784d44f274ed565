#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bridge/destinations.h"
#include "control/control.h"
#include "queue/inspect/check.h"

namespace packhorse::bridge {

// What a flush has brought about.
struct FlushOutcome {
  struct Part {
    std::string name;
    std::string state;
    std::string reason;
    std::uint64_t pending = 0;
    bool complete = false;  // nothing of what waited at the beginning is pending
  };
  bool checkpointed = false;  // everything is in the database
  std::chrono::milliseconds waited{0};
  std::vector<Part> destinations;
  bool complete() const;
};

// Commands of the control socket whose answer takes longer than an iteration of the loop: each iteration does a piece
// of them. Loop thread.
class LongCalls {
 public:
  using Ready = std::vector<std::pair<std::uint64_t, control::Answer>>;  // by connection

  // `queue_path`: of the queue's database.
  LongCalls(queue::Queue& queue, Destinations& destinations, std::string queue_path)
      : queue_(queue), destinations_(destinations), queue_path_(std::move(queue_path)) {}

  // Checkpoints the journal and lets these destinations send what waits now. Answers when nothing of that is pending,
  // when only destinations are left that do not send (held, paused), or after `timeout`; `answer` makes of the outcome
  // what is sent.
  void Flush(std::uint64_t connection, std::vector<std::string> destinations, std::chrono::milliseconds timeout,
             std::function<control::Answer(const FlushOutcome&)> answer, MonoTime now);
  // The full check of the queue; `answer` makes of it what is sent. kBusy while another one is under way.
  Status Verify(std::uint64_t connection, std::function<control::Answer(const queue::CheckReport&)> answer,
                MonoTime now);
  // Calls `answer` once everything so far is in the database, or after a few seconds without that.
  void AfterCheckpoint(std::uint64_t connection, std::function<control::Answer(bool checkpointed)> answer,
                       MonoTime now);

  // Goes on with everything that is under way; finished answers are added to `ready`. When to be called next.
  MonoTime Step(MonoTime now, Ready& ready);

 private:
  struct Job {
    std::uint64_t connection = 0;
    // Nothing: not yet.
    std::function<std::optional<control::Answer>(MonoTime now)> step;
  };
  struct Flushing;
  struct Checking;

  // Turns true in the loop when what has happened so far is in the database.
  std::shared_ptr<const bool> BeginCheckpoint();
  std::optional<control::Answer> StepFlush(const Flushing& flushing, MonoTime now);
  std::optional<control::Answer> StepCheck(Checking& checking, MonoTime now);

  queue::Queue& queue_;
  Destinations& destinations_;
  const std::string queue_path_;
  std::vector<Job> jobs_;
  bool verifying_ = false;
  bool reading_ = false;  // for that: more can be done at once
};

}  // namespace packhorse::bridge
