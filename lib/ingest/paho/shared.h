#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "ingest/ingest.h"
#include "ingest/paho/endpoint.h"

namespace packhorse::ingest {

// The two passwords of a rotation.
enum class PasswordSlot : std::uint8_t { kFirst, kNext };

// What the three parties of a source share: its owner (Start, Stop, Snapshot), its supervisor thread and Paho's receive
// thread. Lives as long as any of them, so that an owner can leave while another one is stuck. Thread-safe.
class Shared {
 public:
  Shared(SourceOptions options, std::vector<Endpoint> endpoints, Intake& intake, const Clock& clock,
         std::function<void()> changed);

  static constexpr std::size_t kMaxReasonBytes = 500;

  const SourceOptions& options() const { return options_; }
  const std::vector<Endpoint>& endpoints() const { return endpoints_; }
  SourceStatus Snapshot() const;
  std::uint64_t max_payload_bytes() const { return intake_.MaxPayloadBytes(); }

  // --- receive thread ---
  // Returns once the message is safe. Otherwise it never returns, because the return would acknowledge the message: the
  // thread stays here, with Paho's lock, until the process ends.
  void Receive(const Arrival& arrival);
  // The same for what did not come through the library: an error means that it must not be acknowledged.
  Status Take(const Arrival& arrival);
  void Lost(std::uint64_t connection, std::string reason, bool taken_over);

  // --- supervisor ---
  // Changes the status under the lock; tells the owner when state, reason, URL or refused filters differ afterwards.
  void Update(const std::function<void(SourceStatus&)>& change);
  // The password of this slot as it is now, empty when there is none; fails when it cannot be read or the owner is
  // gone.
  Result<std::string> Password(PasswordSlot slot);
  // Starts a new connection's life; events of older ones no longer count. Its number.
  std::uint64_t NextConnection();
  // Notes the end of the current connection, unless it is known already.
  void LostCurrent(std::string reason);
  struct Loss {
    std::string reason;
    bool taken_over = false;
  };
  // Waits until the connection is lost (true), or `until` has come or the source is to stop (false).
  bool WaitForLoss(std::chrono::steady_clock::time_point until, Loss& loss);
  // Waits until then or until the source is to stop; true in the second case.
  bool WaitForStop(std::chrono::steady_clock::time_point until);
  // How long nothing has arrived; zero while a message is being stored.
  std::chrono::steady_clock::duration QuietFor(std::chrono::steady_clock::time_point now) const;
  bool Busy() const;      // the receive thread is storing a message
  bool Stopping() const;  // Stop() was called, or nothing can be received any more
  bool GiveUp() const;    // Stopping() or the connection is lost
  bool Stuck() const;     // the receive thread stays in Receive() for ever: Paho must not be called any more
  std::chrono::steady_clock::time_point StopBy() const;
  void Finished();

  // --- owner ---
  void RequestStop(std::chrono::steady_clock::time_point by);
  bool WaitFinished(std::chrono::steady_clock::time_point until);
  // No callback of the owner is called after this.
  void ForgetOwner();
  // Nothing is given to the intake after this; waits until nothing is being given to it.
  void CloseIntake();

 private:
  bool Enter();
  void Leave(const Status& stored);
  void NotifyOwner();

  SourceOptions options_;
  const std::vector<Endpoint> endpoints_;
  Intake& intake_;
  const Clock& clock_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  // Guarded by mutex_.
  SourceStatus status_;
  std::uint64_t connection_ = 0;
  bool lost_ = false;
  Loss loss_;
  bool storing_ = false;
  std::chrono::steady_clock::time_point stored_at_{};
  bool stuck_ = false;
  bool closed_ = false;
  bool stopping_ = false;
  bool finished_ = false;
  std::chrono::steady_clock::time_point stop_by_{};

  std::mutex owner_mutex_;  // held while the owner's functions run
  bool owner_gone_ = false;
  std::function<void()> changed_;
  std::function<Result<std::string>()> password_;
  std::function<Result<std::string>()> next_password_;
};

}  // namespace packhorse::ingest
