#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "auth/authorizer.h"
#include "base/clock.h"
#include "batch/batch.h"
#include "batch/learnt_size.h"
#include "contract/cloud_contract.h"
#include "contract/device_contract.h"
#include "delivery/accepted_times.h"
#include "delivery/deprecation.h"
#include "delivery/exchanges.h"
#include "delivery/pacing.h"
#include "delivery/rollout.h"
#include "delivery/streams.h"
#include "health/metrics.h"
#include "limit/circuit_breaker.h"
#include "limit/concurrency.h"
#include "limit/rate_limit.h"
#include "limit/send_window.h"
#include "queue/ports/delivery.h"
#include "queue/ports/suspects.h"
#include "queue/values/definition.h"
#include "upload/uploader.h"

namespace packhorse::delivery {

// Joins the stations behind the queue for one destination: peek, decode, batch, render, prepare, limit, send, judge,
// settle. Everything on the loop thread; never blocks; destinations know nothing of each other, except for shared
// limits.

// What `kept` says, for Decode(). Definitions that cannot be read are left out.
void Bind(std::string_view name, const std::vector<queue::KeptDefinition>& kept, StreamId stream, Streams& streams);

// Decodes a stored message: by the newest definition of its stream whose topics match and that can. Quarantine with
// queue::kUnknownStream when nothing is known of the stream, queue::kUnknownContract when this release does not know
// the contract: such a message is not at fault.
// `spare`: DecodeContext::spare.
contract::Decoded Decode(const Streams& streams, std::string_view queue_id, Lane lane,
                         const queue::StoredMessage& stored, std::vector<CanonicalRecord>* spare = nullptr);
// Likewise, by the first that gives so many records: those that a batch has sent.
contract::Decoded DecodeAgain(const Streams& streams, std::string_view queue_id, Lane lane,
                              const queue::StoredMessage& stored, std::uint32_t records);

struct Options {
  std::string name;
  std::string gateway_id;
  std::map<std::string, std::string> gateway_attributes;
  std::shared_ptr<const contract::CloudContract> contract;
  upload::Endpoint endpoint;
  auth::SecretSource proxy_password;  // read at the start and with Nudge(), into endpoint.proxy.password
  std::optional<limit::BudgetOptions> budget;
  std::array<std::vector<limit::DayWindow>, kLanes> windows;  // by lane; none: at any time
  batch::Options batch;
  std::vector<limit::Window> limits;
  AcceptedTimes accepted;  // by their time
  limit::CircuitBreakerOptions breaker;
  double retry_budget = 0.1;
  contract::SettingValues settings;                   // of the contract, those that are no secrets
  contract::ResponseRules outcomes;                   // before the common table of replies
  std::string coding = "gzip";                        // content coding of bodies; empty: none
  std::optional<RolloutOptions> rollout;              // of a newer contract
  bool live_first = false;                            // else the oldest first
  double backfill_share = 0.5;                        // batch::LaneScheduler
  std::chrono::milliseconds backfill_after{300'000};  // what waited for so long is sent late
  // Of requests at once, at most (limit::Concurrency), 1 to 32.
  std::uint32_t max_in_flight = 4;
  // Several of them may be of one lane, and what is tried again may be overtaken. Not with keeps_order.
  bool any_order = false;
  // A message is sent only when all earlier messages of its lane are settled: one that is refused holds the lane. For a
  // cloud that keeps the highest sequence number only and ignores lower ones.
  bool keeps_order = false;
  bool reconciled = false;        // the ids of what is delivered are added up in the ledger
  std::vector<std::string> sums;  // and these measurements; at most 32
};

// What a destination knows and should not forget at a restart.
struct Kept {
  Pacing::Kept pacing;
  batch::LearntSize::Kept records, bytes;
  std::optional<Rollout::Kept> rollout;
  limit::Concurrency::Kept in_flight;
  std::string host;  // of whose API `pacing` tells; empty: of the one that is configured

  bool operator==(const Kept&) const = default;
};

struct BudgetStatus {
  limit::BudgetOptions options;
  std::uint64_t used = 0;
  bool spent = false;  // what is next does not fit
  WallTime ends{};     // when the next period begins
};

// What `status` shows of a destination.
struct DestinationStatus {
  std::string name;
  std::string url;  // without credentials
  limit::CircuitState state = limit::CircuitState::kOk;
  std::string reason;
  WallTime since{};
  std::optional<std::chrono::milliseconds> next_attempt_in;  // none: nothing is held up
  std::optional<WaitsFor> waits_for;                         // likewise; none beside a wait: what `reason` says
  std::uint64_t pending = 0;    // messages not settled, those in flight and with a suspect too
  std::uint64_t in_flight = 0;  // messages in prepared batches
  // Messages of an outage that are still to be sent: live_first: of the backlog; else all, once they are late. Without
  // those that are set aside.
  std::uint64_t backlog = 0;
  std::optional<std::chrono::seconds> backlog_eta;  // at the rate of the last minute; none: nothing went
  WallTime oldest_at{};                             // received_at of the oldest pending message; WallTime{}: none
  std::uint64_t suspects = 0;                       // their messages are pending
  double share_refused = 0;                         // of the records of the last ten minutes, 0 to 1
  // Limits of a batch that replies of the cloud (413, 400) have taught, where they are lower than the configured ones;
  // 0: none.
  std::uint64_t learnt_max_records = 0;
  std::uint64_t learnt_max_bytes = 0;
  double learnt_requests_per_second = 0;
  std::uint32_t requests_in_flight = 0;
  std::uint32_t max_in_flight = 0;             // configured
  std::uint32_t learnt_in_flight = 0;          // as many are sent at once now
  std::uint32_t learnt_max_in_flight = 0;      // more were refused; 0: not yet
  std::vector<limit::Announcement> announced;  // limits of the API
  std::optional<BudgetStatus> budget;
  std::array<std::optional<WallTime>, kLanes> opens;  // when the window of a lane opens for which something waits
  // Since start:
  std::uint64_t requests = 0;
  std::uint64_t retries = 0;
  // Attempts with an unknown outcome, splits of what had a key, and batches that a restart interrupted, sent again.
  std::uint64_t possible_duplicates = 0;
  std::uint64_t records_delivered = 0;
  std::uint64_t bytes_sent = 0;
  std::map<std::string, std::uint64_t> replies;            // "200", "503", "timeout", ...
  std::optional<std::chrono::microseconds> p50, p95, p99;  // of requests, last five minutes
  std::optional<std::chrono::microseconds> recent_p50;     // likewise, last minute
  bool reached = false;                                    // a reply came, or at least a connection could be made
  std::string unreachable;                                 // why none could be made while there was nothing to send
  std::optional<WallTime> last_success_at;
  std::string last_error;
  std::optional<Deprecation::Notice> deprecation;  // what the API says of its own end
  std::optional<WallTime> certificate_ends;        // of the server, the first of its chain, as it was last seen
  std::optional<Rollout::Status> rollout;
};

// What is asked of a cloud beside the records: a GET. Secrets in it are marks.
struct Inquiry {
  std::string path;  // below the destination's base URL
  std::vector<std::pair<std::string, std::string>> headers;
};

class Destination {
 public:
  virtual ~Destination() = default;

  // Does what is due at `now`. Returns when to call it next. It is called after each reply and callback as well.
  virtual MonoTime Step(MonoTime now) = 0;
  // Sends what waits without waiting for the batch to fill.
  virtual void Flush() = 0;
  // No new batches; what is in flight may finish. For shutdown.
  virtual void Drain() = 0;
  virtual bool idle() const = 0;  // no batch waits for the journal, a reply or its settlement
  // Ends a wait: the next attempt may go now.
  virtual void Nudge(MonoTime now) = 0;
  // Sends nothing, for `duration` or until Resume(). What is in flight finishes.
  virtual void Pause(std::optional<std::chrono::milliseconds> duration, MonoTime now) = 0;
  // Forgets also what the API announced and was learnt of its rate: it may have been wrong.
  virtual Pacing::Forgotten Resume(MonoTime now) = 0;
  // Takes dead letters of this destination back into delivery, with the payloads that they have here: one whose payload
  // was mended must be alone, and decode to as many records as before. `done` gets the number of records.
  virtual void RedriveDead(const std::vector<queue::DeadLetter>& letters,
                           std::function<void(Result<std::uint32_t>)> done) = 0;
  // Decodes messages again that are in quarantine for this destination, all of one lane. Those that can be decoded
  // become pending, one batch of them at most. `done` gets the counts; messages beyond that batch are not looked at.
  struct Retried {
    std::uint64_t looked_at = 0;
    std::uint64_t sent = 0;     // to be sent: pending again
    std::uint64_t ended = 0;    // nothing to upload, after all
    std::string still_because;  // of the first that stays: its reason and detail
  };
  virtual void RetryQuarantined(const std::vector<queue::QuarantinedMessage>& messages,
                                std::function<void(Result<Retried>)> done) = 0;
  // Sends this suspect as the next one. `done` gets a success when it is scheduled. kNotFound: there is no such
  // suspect. kInvalidArgument, as with RedriveDead(): nothing may overtake here (Options::keeps_order).
  virtual void RetrySuspect(std::int64_t id, std::function<void(const Status&)> done) = 0;
  // kNotFound: it has no rollout. kInvalidArgument: the rollout is past that.
  virtual Status ChangeRollout(RolloutAction action, MonoTime now) = 0;
  // Sends it over the same way, within the same limits, as soon as what is to be sent leaves room and the destination
  // is well. `done` gets the reply, whatever its status; kUnavailable: there was none by `until`, or the destination is
  // being destroyed. kBusy: one is under way.
  virtual void Ask(Inquiry inquiry, MonoTime until, std::function<void(Result<upload::Response>)> done) = 0;
  virtual DestinationStatus Snapshot(MonoTime now) const = 0;
  // The last failed ones.
  virtual const Exchanges& exchanges() const = 0;
  // Continues the work of the destination of the same name that it replaces: state and waits, use of the rate limits,
  // learnt sizes, evidence about records. To be called before the first Step().
  virtual void TakeOver(const Destination& predecessor) = 0;
  // For the next run of the daemon, and from the one before. Restore() is to be called before the first Step().
  virtual Kept ToKeep() const = 0;
  virtual void Restore(const Kept& kept) = 0;
};

// All references outlive the destination. `shared` may be null.
struct Dependencies {
  queue::DeliveryPort& queue;
  queue::SuspectPort& suspects;
  upload::Uploader& uploader;
  health::Events& events;
  const Clock& clock;
  const Streams& streams;
  limit::SharedLimits* shared = nullptr;
};

Result<std::unique_ptr<Destination>> MakeDestination(Options options, std::unique_ptr<auth::Authorizer> authorizer,
                                                     Dependencies dependencies);

}  // namespace packhorse::delivery
