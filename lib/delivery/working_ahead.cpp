#include "delivery/working_ahead.h"

#include <algorithm>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

namespace packhorse::delivery {
WorkingAhead::Look::Look(WorkingAhead& ahead, std::size_t count, Make make)
    : ahead_(ahead), count_(count), make_(std::move(make)), has_thread_(ahead_.Begin(Work{count_, &make_})) {}

WorkingAhead::Look::~Look() {
  if (has_thread_) {
    ahead_.End();
  }
}

Made WorkingAhead::Look::Next() {
  const std::size_t part = next_ / kPart;
  const std::size_t within = next_ % kPart;
  if (parts_ == part) {
    part_ = has_thread_ ? ahead_.TakePart(part) : MakePart(Work{count_, &make_}, part);
    ++parts_;
  }
  Part::Message& message = part_.messages[within];
  const std::size_t begin = within == 0 ? 0 : part_.messages[within - 1].rendered_end;
  return {message.decoded, std::span(part_.rendered).subspan(begin, message.rendered_end - begin)};
}

WorkingAhead::Task::Task(WorkingAhead& ahead, std::function<void()> work) : ahead_(ahead), work_(std::move(work)) {
  {
    const std::lock_guard lock(ahead_.mutex_);
    ahead_.task_ = this;
  }
  ahead_.wanted_.notify_one();
}

void WorkingAhead::Task::Await() {
  std::unique_lock lock(ahead_.mutex_);
  while (!done_) {
    if (ahead_.task_ == this) {
      ahead_.DoTaskLocked(lock);
    } else if (ahead_.MayBeginLocked()) {
      ahead_.MakeNextLocked(lock);  // the look that has begun meanwhile
    } else {
      ahead_.made_.wait(lock, [this] { return done_; });
    }
  }
}

WorkingAhead::~WorkingAhead() {
  if (thread_.joinable()) {
    {
      const std::lock_guard lock(mutex_);
      ends_ = true;
    }
    wanted_.notify_one();
    thread_.join();
  }
}

// False: another look has the thread, or there is none, or it is not worth it.
bool WorkingAhead::Begin(const Work& work) {
  static const bool several = std::thread::hardware_concurrency() > 1;
  if (work.count < kWorthIt || !several) {
    return false;
  }
  if (!thread_.joinable()) {
    Start();
  }
  {
    const std::lock_guard lock(mutex_);
    if (!thread_.joinable() || work_.make != nullptr) {
      return false;
    }
    work_ = work;
    begun_ = 0;
    taken_ = 0;
  }
  wanted_.notify_one();
  return true;
}

// The loop makes everything where the system has no thread left (TasksMax of the unit).
void WorkingAhead::Start() {
  try {
    thread_ = std::thread([this] { Run(); });
  } catch (const std::system_error&) {
    // There is none, as on a machine with one processor.
  }
}

// What `make` refers to may go once this returns.
void WorkingAhead::End() {
  std::unique_lock lock(mutex_);
  begun_ = work_.parts();
  made_.wait(lock, [this] { return !busy_; });
  work_ = {};
  begun_ = 0;
  for (Slot& slot : slots_) {
    slot = {};
  }
}

// Instead of waiting for the thread the loop makes a part that nobody has begun.
WorkingAhead::Part WorkingAhead::TakePart(std::size_t part) {
  std::unique_lock lock(mutex_);
  Slot& slot = slots_[part % kAhead];
  while (!slot.done) {
    if (MayBeginLocked()) {
      MakeNextLocked(lock);
    } else {
      made_.wait(lock, [&slot] { return slot.done; });
    }
  }
  taken_ = part + 1;
  Part made = std::move(slot.part);
  slot = {};
  const bool more = MayBeginLocked();
  lock.unlock();
  if (more) {
    wanted_.notify_one();
  }
  return made;
}

bool WorkingAhead::MayBeginLocked() const { return begun_ < std::min(work_.parts(), taken_ + kAhead); }

// Gives up the lock while it makes the part.
void WorkingAhead::MakeNextLocked(std::unique_lock<std::mutex>& lock) {
  const std::size_t part = begun_++;
  const Work work = work_;
  lock.unlock();
  Part made = MakePart(work, part);
  lock.lock();
  slots_[part % kAhead] = Slot{true, std::move(made)};
}

WorkingAhead::Part WorkingAhead::MakePart(const Work& work, std::size_t part) {
  Part made;
  made.messages.reserve(kPart);
  made.rendered.reserve(kPart);
  const std::size_t end = std::min(work.count, (part + 1) * kPart);
  for (std::size_t i = part * kPart; i < end; ++i) {
    contract::Decoded decoded = (*work.make)(i, made.rendered);
    made.messages.push_back({std::move(decoded), made.rendered.size()});
  }
  return made;
}

// Gives up the lock meanwhile.
void WorkingAhead::DoTaskLocked(std::unique_lock<std::mutex>& lock) {
  Task& task = *std::exchange(task_, nullptr);
  lock.unlock();
  task.work_();
  lock.lock();
  task.done_ = true;
}

void WorkingAhead::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wanted_.wait(lock, [this] { return ends_ || task_ != nullptr || MayBeginLocked(); });
    if (ends_) {
      return;
    }
    if (task_ != nullptr) {
      DoTaskLocked(lock);
    } else {
      busy_ = true;
      MakeNextLocked(lock);
      busy_ = false;
    }
    made_.notify_one();
  }
}

}  // namespace packhorse::delivery
