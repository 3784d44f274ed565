#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "auth/credentials.h"
#include "base/clock.h"
#include "base/topic.h"
#include "batch/batch.h"
#include "contract/cloud_contract.h"
#include "contract/device_contract.h"
#include "health/metrics.h"
#include "limit/gate.h"
#include "limit/rate_limit.h"
#include "queue/queue.h"
#include "upload/uploader.h"

namespace packhorse::delivery {

// Joins the stations behind the queue for one destination: peek, decode, batch, render, freeze, limit, send, judge,
// settle. Everything on the loop thread; never blocks; destinations know nothing of each other, except for shared
// limits.

// How messages of one stream are decoded.
struct StreamBinding {
  std::string name;
  std::vector<TopicPattern> patterns;
  std::shared_ptr<const contract::DeviceContract> contract;
  bool retained_is_state = true;
};
using Streams = std::map<StreamId, StreamBinding>;

// Decodes a stored message by its stream's contract. A stream that is no longer configured: quarantine
// "unknown_stream".
contract::Decoded Decode(const Streams& streams, std::string_view queue_id, Lane lane,
                         const queue::StoredMessage& stored);

struct Options {
  std::string name;
  std::string gateway_id;
  std::map<std::string, std::string> gateway_attributes;
  std::shared_ptr<const contract::CloudContract> contract;
  upload::Endpoint endpoint;
  batch::Options batch;
  std::vector<limit::Window> limits;
  limit::GateOptions gate;
  double retry_budget = 0.1;
  bool gzip = true;
  bool live_first = false;                            // else the oldest first
  double backfill_share = 0.5;                        // batch::Turns
  std::chrono::milliseconds backfill_after{300'000};  // what waited for so long is sent late
};

// What `status` shows of a destination.
struct DestinationStatus {
  std::string name;
  std::string url;  // without credentials
  limit::GateState state = limit::GateState::kOk;
  std::string reason;
  WallTime since{};
  std::optional<std::chrono::milliseconds> next_attempt_in;
  std::uint64_t pending = 0;    // messages not settled, in flight included
  std::uint64_t in_flight = 0;  // messages in frozen batches
  // Messages of an outage that are still to be sent: live_first: of the backlog; else all, once they are late.
  std::uint64_t backlog = 0;
  std::optional<std::chrono::seconds> backlog_eta;  // at the rate of the last minute; none: nothing went
  WallTime oldest_at{};                             // received_at of the oldest pending message; epoch when none
  // Since start:
  std::uint64_t requests = 0;
  std::uint64_t retries = 0;
  std::uint64_t possible_duplicates = 0;
  std::uint64_t records_delivered = 0;
  std::uint64_t bytes_sent = 0;
  std::map<std::string, std::uint64_t> replies;            // "200", "503", "timeout", ...
  std::optional<std::chrono::microseconds> p50, p95, p99;  // of requests, last five minutes
  std::optional<WallTime> last_success_at;
  std::string last_error;
};

class Destination {
 public:
  virtual ~Destination() = default;

  // Does what is due now and says when it wants to be called next. Also called after anything happened.
  virtual MonoTime Step(MonoTime now) = 0;
  // Sends what waits without waiting for the batch to fill.
  virtual void Flush() = 0;
  // No new batches; what is in flight may finish. For shutdown.
  virtual void Drain() = 0;
  virtual bool idle() const = 0;  // nothing frozen in memory is waiting for a reply or a commit
  virtual void Nudge(MonoTime now) = 0;
  virtual void Pause(std::optional<std::chrono::milliseconds> duration, MonoTime now) = 0;
  virtual void Resume(MonoTime now) = 0;
  // Takes dead letters of this destination back into delivery. `done` gets the number of records.
  virtual void ReplayDead(const std::vector<queue::DeadLetter>& letters,
                          std::function<void(Result<std::uint32_t>)> done) = 0;
  virtual DestinationStatus Snapshot(MonoTime now) const = 0;
};

// All references outlive the destination. `shared` may be null.
struct Surroundings {
  queue::Queue& queue;
  upload::Uploader& uploader;
  health::Events& events;
  const Clock& clock;
  const Streams& streams;
  limit::RateLimit* shared = nullptr;
};

Result<std::unique_ptr<Destination>> MakeDestination(Options options, std::unique_ptr<auth::Credentials> credentials,
                                                     Surroundings surroundings);

}  // namespace packhorse::delivery
