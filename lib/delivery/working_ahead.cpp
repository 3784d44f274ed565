#include "delivery/working_ahead.h"

#include <algorithm>
#include <system_error>
#include <utility>

namespace packhorse::delivery {
namespace {

// Fewer are made before the other thread is awake.
constexpr std::size_t kWorthIt = 64;

}  // namespace

WorkingAhead::Look::Look(WorkingAhead& ahead, std::size_t count, const Make& make) : ahead_(ahead) {
  ahead_.Begin(Work{count, &make});
}

WorkingAhead::Look::~Look() { ahead_.End(); }

Made WorkingAhead::Look::Next() {
  const std::size_t within = next_ % kPart;
  if (within == 0) {
    part_ = ahead_.TakePart(next_ / kPart);
  }
  ++next_;
  return std::move(part_[within]);
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

void WorkingAhead::Begin(const Work& work) {
  {
    const std::lock_guard lock(mutex_);
    work_ = work;
    begun_ = 0;
    taken_ = 0;
  }
  if (work.count < kWorthIt) {
    return;
  }
  static const bool several = std::thread::hardware_concurrency() > 1;
  if (!thread_.joinable() && several) {
    Start();
  }
  wanted_.notify_one();
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

std::vector<Made> WorkingAhead::TakePart(std::size_t part) {
  std::unique_lock lock(mutex_);
  if (begun_ == part) {
    ++begun_;
    taken_ = begun_;
    lock.unlock();
    return MakePart(work_, part);
  }
  Slot& slot = slots_[part % kAhead];
  made_.wait(lock, [&slot] { return slot.done; });
  taken_ = part + 1;
  std::vector<Made> made = std::move(slot.part);
  slot = {};
  lock.unlock();
  wanted_.notify_one();
  return made;
}

std::vector<Made> WorkingAhead::MakePart(const Work& work, std::size_t part) {
  std::vector<Made> made;
  made.reserve(kPart);
  const std::size_t end = std::min(work.count, (part + 1) * kPart);
  for (std::size_t i = part * kPart; i < end; ++i) {
    made.push_back((*work.make)(i));
  }
  return made;
}

void WorkingAhead::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wanted_.wait(lock, [this] {
      return ends_ || (work_.count >= kWorthIt && begun_ < std::min(work_.parts(), taken_ + kAhead));
    });
    if (ends_) {
      return;
    }
    const std::size_t part = begun_++;
    const Work work = work_;
    busy_ = true;
    lock.unlock();
    std::vector<Made> made = MakePart(work, part);
    lock.lock();
    busy_ = false;
    slots_[part % kAhead] = Slot{true, std::move(made)};
    made_.notify_one();
  }
}

}  // namespace packhorse::delivery
