#include "ingest/paho/shared.h"

#include <exception>
#include <thread>
#include <tuple>
#include <utility>

#include "base/mask.h"
#include "base/units.h"

namespace packhorse::ingest {
namespace {

using Steady = std::chrono::steady_clock;

[[noreturn]] void StayForEver() {
  for (;;) {
    std::this_thread::sleep_for(std::chrono::hours(1));
  }
}

}  // namespace

Shared::Shared(SourceOptions options, std::vector<Endpoint> endpoints, Intake& intake, const Clock& clock,
               std::function<void()> changed)
    : options_(std::move(options)),
      endpoints_(std::move(endpoints)),
      intake_(intake),
      clock_(clock),
      changed_(std::move(changed)),
      password_(options_.password),
      next_password_(options_.next_password) {
  status_.name = options_.name;
  status_.url = endpoints_.front().Shown();
  status_.since = clock_.Wall();
}

SourceStatus Shared::Snapshot() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

bool Shared::Enter() {
  const std::lock_guard lock(mutex_);
  storing_ = !closed_;
  stuck_ = stuck_ || closed_;
  return storing_;
}

void Shared::Leave(const Status& stored) {
  const std::lock_guard lock(mutex_);
  storing_ = false;
  stored_at_ = Steady::now();
  stuck_ = stuck_ || !stored;
  if (!stored && !closed_) {
    status_.state = SourceState::kDown;
    status_.receives_nothing = true;
    status_.since = clock_.Wall();
    status_.reason =
        Shorten("nothing is received any more until a restart: " + stored.error().message, kMaxReasonBytes);
  }
  if (stuck_ || closed_ || stopping_) {
    wake_.notify_all();
  }
}

Status Shared::Take(const Arrival& arrival) {
  if (!Enter()) {
    return Error{ErrorCode::kUnavailable, "stopped"};
  }
  Status stored = Error{ErrorCode::kInternal, "unknown exception"};
  try {
    stored = intake_.OnMessage(arrival);
  } catch (const std::exception& failure) {
    stored = Error{ErrorCode::kInternal, failure.what()};
  } catch (...) {  // keeps the error that says so
  }
  Leave(stored);
  return stored;
}

void Shared::Receive(const Arrival& arrival) {
  if (!Take(arrival)) {
    StayForEver();
  }
}

void Shared::Lost(std::uint64_t connection, std::string reason, bool taken_over) {
  const std::lock_guard lock(mutex_);
  if (connection == connection_ && !lost_) {
    lost_ = true;
    loss_ = {std::move(reason), taken_over};
    wake_.notify_all();
  }
}

void Shared::Update(const std::function<void(SourceStatus&)>& change) {
  const auto visible = [](const SourceStatus& s) {
    return std::tie(s.state, s.reason, s.url, s.refused_filters, s.reasons, s.session_lost);
  };
  bool differs = false;
  {
    const std::lock_guard lock(mutex_);
    if (stuck_ || closed_) {
      return;  // what Leave() said stays; the clock is the owner's and may be gone
    }
    SourceStatus next = status_;
    change(next);
    next.reason = Shorten(MaskSecrets(next.reason), kMaxReasonBytes);
    if (next.state != status_.state) {
      next.since = clock_.Wall();
    }
    differs = visible(next) != visible(status_);
    status_ = std::move(next);
  }
  if (differs) {
    NotifyOwner();
  }
}

void Shared::NotifyOwner() {
  const std::lock_guard lock(owner_mutex_);
  if (!owner_gone_ && changed_) {
    changed_();
  }
}

Result<std::string> Shared::Password(PasswordSlot slot) {
  const std::lock_guard lock(owner_mutex_);
  if (owner_gone_) {
    return Error{ErrorCode::kUnavailable, "stopped"};
  }
  const auto& read = slot == PasswordSlot::kNext ? next_password_ : password_;
  return read ? read() : Result<std::string>(std::string());
}

std::uint64_t Shared::NextConnection() {
  const std::lock_guard lock(mutex_);
  lost_ = false;
  return ++connection_;
}

void Shared::LostCurrent(std::string reason) {
  const std::lock_guard lock(mutex_);
  if (!lost_) {
    lost_ = true;
    loss_ = {std::move(reason), false};
  }
}

bool Shared::WaitForLoss(Steady::time_point until, Loss& loss) {
  std::unique_lock lock(mutex_);
  wake_.wait_until(lock, until, [this] { return lost_ || stopping_ || stuck_; });
  if (!lost_ || stopping_ || stuck_) {
    return false;
  }
  loss = loss_;
  return true;
}

bool Shared::WaitForStop(Steady::time_point until) {
  std::unique_lock lock(mutex_);
  return wake_.wait_until(lock, until, [this] { return stopping_ || stuck_; });
}

Steady::duration Shared::QuietFor(Steady::time_point now) const {
  const std::lock_guard lock(mutex_);
  return storing_ ? Steady::duration(0) : now - stored_at_;
}

bool Shared::Busy() const {
  const std::lock_guard lock(mutex_);
  return storing_;
}

bool Shared::Stopping() const {
  const std::lock_guard lock(mutex_);
  return stopping_ || stuck_;
}

bool Shared::GiveUp() const {
  const std::lock_guard lock(mutex_);
  return stopping_ || stuck_ || lost_;
}

bool Shared::Stuck() const {
  const std::lock_guard lock(mutex_);
  return stuck_;
}

Steady::time_point Shared::StopBy() const {
  const std::lock_guard lock(mutex_);
  return stop_by_;
}

void Shared::Finished() {
  {
    const std::lock_guard lock(mutex_);
    finished_ = true;
    wake_.notify_all();
  }
  NotifyOwner();
}

void Shared::RequestStop(Steady::time_point by) {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  stop_by_ = by;
  wake_.notify_all();
}

bool Shared::WaitFinished(Steady::time_point until) {
  std::unique_lock lock(mutex_);
  return wake_.wait_until(lock, until, [this] { return finished_; });
}

void Shared::ForgetOwner() {
  const std::lock_guard lock(owner_mutex_);
  owner_gone_ = true;
  changed_ = nullptr;
  password_ = nullptr;
  next_password_ = nullptr;
}

void Shared::CloseIntake() {
  std::unique_lock lock(mutex_);
  closed_ = true;
  wake_.wait(lock, [this] { return !storing_; });
}

}  // namespace packhorse::ingest
