#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cloud.h"
#include "delivery/clock_watch.h"
#include "delivery/delivery.h"
#include "machine.h"
#include "message.h"
#include "queue/queue.h"
#include "support/temp_dir.h"

namespace packhorse::simulation {

// How a gateway is set up for its year.
struct Setup {
  struct Destination {
    std::string name;
    bool live_first = false;
    bool keeps_order = false;     // for a cloud that keeps the highest sequence only
    std::uint32_t any_order = 0;  // requests at once, in any order; 0: the order is kept
  };
  std::vector<Destination> destinations;
  queue::Limits limits;
};

// The bridge behind its MQTT client: the real queue, delivery and limits, on files in memory. Everything that the
// daemon's loop would do is done by Turn(). Single-threaded, beside the queue's own store thread, which checkpoints
// only when it is asked: so the same seed gives the same year.
class Gateway {
 public:
  // A cloud for each destination of `setup`, in its order.
  Gateway(Machine& machine, Messages& messages, const Setup& setup, const std::vector<std::unique_ptr<Cloud>>& clouds);

  // The broker sends the next message; it is acknowledged when this returns.
  void Publish(Number number);
  // Does what is due now; when it wants to be called again.
  Instant Turn();
  // What the daemon looks at once a second.
  void LookAround();
  // Everything so far is on the disk.
  void Checkpoint();

  // --- what happens to it ---
  void Restart();
  void Reload();
  // kill -9: what is in the journal and in the database is there, nothing more.
  void Kill();
  // What only memory and the runtime folder have is gone.
  void PowerCut(microseconds off, microseconds clock_error);
  void OrderlyReboot(microseconds off, microseconds clock_error);
  // Somebody copies the queue's folder while the service is stopped, and puts it back another day.
  void TakeCopy();
  void PutCopyBack();
  bool has_copy() const { return copy_ != nullptr; }

  // --- what must be true ---
  // Empty, or what is wrong now.
  std::string Check();
  // Empty, or which record is in the dead letters without being bad.
  std::string CheckDeadLetters();
  // What became of all messages once the faults are over.
  std::string CheckEnd();
  std::string Describe();

 private:
  struct Copy {
    test::TempDir dir;
    Number last = 0;
    std::uint64_t received = 0;
    explicit Copy(const std::string& parent) : dir(parent) {}
  };
  struct Unit {
    Setup::Destination setup;
    Cloud& cloud;
    std::unique_ptr<delivery::Destination> destination;
    std::uint64_t given_up = 0;  // messages, in all ledgers
    std::set<Number> over_age;   // ended as rejected at their highest age
  };
  void Open();
  void Build(Unit& unit);
  Unit& Of(const std::string& destination);
  // What the ledger says of a destination.
  queue::LedgerRow Row(const Unit& unit);
  void Close();
  // The files as they are now, put back once the process that writes them is gone.
  void CrashAndOpen(bool with_runtime_folder);
  void NoteCheckpointed();
  void NoteLost(Number first, Number last);
  void CheckExpired(const queue::GivenUp& given_up);
  void Fail(std::string problem);

  Machine& machine_;
  Messages& messages_;
  test::TempDir dir_;
  queue::Options options_;
  health::Events events_;
  delivery::Streams streams_;
  std::atomic<bool> woken_{false};  // by the queue
  std::unique_ptr<queue::Queue> queue_;
  std::vector<Unit> units_;
  std::unique_ptr<delivery::ClockWatch> clock_watch_;
  std::unique_ptr<Copy> copy_;
  std::map<Sequence, Number> numbers_;
  std::vector<Instant> arrived_{Instant(0)};  // by number
  Number checkpointed_ = 0;                   // the last one that is on the disk
  std::uint64_t received_ = 0;                // as the ledger has to count for each destination
  std::uint64_t checkpointed_received_ = 0;
  std::set<Number> may_be_lost_;
  unsigned reloads_ = 0;
  std::string problem_;
};

}  // namespace packhorse::simulation
