#include <algorithm>
#include <atomic>
#include <list>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/crc32c.h"
#include "base/units.h"
#include "ingest/ingest.h"

namespace packhorse::ingest {
namespace {

constexpr std::size_t kMaxRetainedTopics = 10'000;
constexpr std::size_t kMaxUserProperties = 32;
constexpr std::size_t kMaxPropertyBytes = 4096;  // content type, names and values together
constexpr std::size_t kQuarantinedPayloadBytes = 4096;

// Stands for a byte string without keeping it: two independent hashes and the length. Not against an adversary: who can
// make two payloads collide can only hide one of his own repeats.
struct Fingerprint {
  std::uint64_t fnv = 0;
  std::uint32_t crc = 0;
  std::size_t size = 0;

  friend bool operator==(const Fingerprint&, const Fingerprint&) = default;
};

Fingerprint FingerprintOf(std::string_view bytes) {
  std::uint64_t fnv = 0xCBF29CE484222325ULL;  // FNV-1a, 64 bits
  for (const char c : bytes) {
    fnv = (fnv ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  }
  return {fnv, Crc32c(bytes), bytes.size()};
}

struct FingerprintHash {
  std::size_t operator()(const Fingerprint& print) const { return static_cast<std::size_t>(print.fnv ^ print.crc); }
};

// The last retained payload per topic, as fingerprints; the topic that was seen longest ago goes first. Receive thread.
class RetainedMemory {
 public:
  bool Repeats(std::string_view topic, std::string_view payload) const {
    const auto found = index_.find(FingerprintOf(topic));
    return found != index_.end() && found->second->payload == FingerprintOf(payload);
  }

  void Remember(std::string_view topic, std::string_view payload) {
    Forget(topic);
    entries_.push_front({FingerprintOf(topic), FingerprintOf(payload)});
    index_.emplace(entries_.front().topic, entries_.begin());
    if (entries_.size() > kMaxRetainedTopics) {
      index_.erase(entries_.back().topic);
      entries_.pop_back();
    }
  }

  void Forget(std::string_view topic) {
    if (const auto found = index_.find(FingerprintOf(topic)); found != index_.end()) {
      entries_.erase(found->second);
      index_.erase(found);
    }
  }

 private:
  struct Entry {
    Fingerprint topic;
    Fingerprint payload;
  };
  std::list<Entry> entries_;  // newest first
  std::unordered_map<Fingerprint, std::list<Entry>::iterator, FingerprintHash> index_;
};

struct Table {
  std::vector<Route> routes;
  Limits limits;
};

const Route* FindRoute(const Table& table, std::string_view topic) {
  for (const Route& route : table.routes) {
    const auto matches = [&](const TopicPattern& pattern) { return pattern.Matches(topic); };
    if (std::any_of(route.patterns.begin(), route.patterns.end(), matches)) {
      return &route;
    }
  }
  return nullptr;
}

// Why this topic cannot be stored; empty when it can. A broker that follows MQTT 5 section 1.5.4 never sends such a
// one.
std::string_view TopicProblem(std::string_view topic, const Limits& limits) {
  if (topic.size() > limits.max_topic_bytes) {
    return "topic_too_long";
  }
  if (topic.find('\0') != std::string_view::npos || !IsValidUtf8(topic)) {
    return "topic_invalid";
  }
  return "";
}

// Copies what fits of content type and user properties; false when something was left out.
bool CopyProperties(const Arrival& arrival, RawMessage& message) {
  std::size_t left = kMaxPropertyBytes;
  bool complete = arrival.user_properties.size() <= kMaxUserProperties;
  if (arrival.content_type.size() <= left) {
    message.content_type = arrival.content_type;
    left -= arrival.content_type.size();
  } else {
    complete = false;
  }
  const std::size_t count = std::min(arrival.user_properties.size(), kMaxUserProperties);
  for (std::size_t i = 0; i < count; ++i) {
    const auto& [name, value] = arrival.user_properties[i];
    if (name.size() > left || value.size() > left - name.size()) {
      return false;
    }
    left -= name.size() + value.size();
    message.user_properties.emplace_back(name, value);
  }
  return complete;
}

void Add(std::atomic<std::uint64_t>& counter, bool condition = true) {
  if (condition) {
    counter.fetch_add(1, std::memory_order_relaxed);
  }
}

}  // namespace

struct Intake::Impl {
  Impl(queue::Queue& the_queue, const Clock& the_clock) : queue(the_queue), clock(the_clock) {}

  std::shared_ptr<const Table> CurrentTable() const {
    const std::lock_guard lock(mutex);
    return table;
  }
  std::shared_ptr<const Tap> CurrentTap() const {
    const std::lock_guard lock(mutex);
    return tap;
  }
  void Count(const Arrival& arrival, WallTime now);
  bool EndsHere(const Arrival& arrival, const Route& route, const Limits& limits);
  Status Store(const Arrival& arrival, const Limits& limits, RawMessage message);

  queue::Queue& queue;
  const Clock& clock;
  mutable std::mutex mutex;
  std::shared_ptr<const Table> table;  // guarded by mutex
  std::shared_ptr<const Tap> tap;      // guarded by mutex
  RetainedMemory retained;             // receive thread

  std::atomic<std::uint64_t> received{0};
  std::atomic<std::uint64_t> unrouted{0};
  std::atomic<std::uint64_t> qos0{0};
  std::atomic<std::uint64_t> redelivered{0};
  std::atomic<std::uint64_t> too_large{0};
  std::atomic<std::uint64_t> properties_truncated{0};
  std::atomic<std::int64_t> last_at_us{0};
};

void Intake::Impl::Count(const Arrival& arrival, WallTime now) {
  Add(received);
  Add(qos0, arrival.qos == 0);
  Add(redelivered, arrival.redelivered);
  last_at_us.store(now.time_since_epoch().count(), std::memory_order_relaxed);
}

// Whether the message is counted and not stored.
bool Intake::Impl::EndsHere(const Arrival& arrival, const Route& route, const Limits& limits) {
  std::string_view reason = TopicProblem(arrival.topic, limits);
  if (reason.empty() && arrival.retained) {
    if (route.retained == RetainedPolicy::kIgnore) {
      reason = "retained_ignored";
    } else if (arrival.payload.empty()) {
      reason = "retained_cleared";
      retained.Forget(arrival.topic);
    } else if (retained.Repeats(arrival.topic, arrival.payload)) {
      reason = "retained_repeat";
    }
  }
  if (reason.empty()) {
    return false;
  }
  queue.CountDropped(route.stream, reason);
  return true;
}

Status Intake::Impl::Store(const Arrival& arrival, const Limits& limits, RawMessage message) {
  if (arrival.payload.size() > limits.max_payload_bytes) {
    Add(too_large);
    message.payload = arrival.payload.substr(0, std::min(kQuarantinedPayloadBytes, arrival.payload.size()));
    const std::string detail = "topic \"" + Shorten(arrival.topic, 200) + "\": the payload has " +
                               std::to_string(arrival.payload.size()) + " bytes, max_payload_bytes is " +
                               std::to_string(limits.max_payload_bytes) + "; its first " +
                               std::to_string(message.payload.size()) + " bytes are kept";
    return queue.Quarantine(std::move(message), "too_large", detail);
  }
  message.payload = arrival.payload;
  const std::shared_ptr<const Tap> listener = CurrentTap();
  std::optional<RawMessage> copy;
  if (listener) {
    copy = message;
  }
  const Result<Sequence> sequence = queue.Append(std::move(message));
  if (!sequence) {
    return sequence.error();
  }
  if (listener && *listener && *sequence > 0) {  // 0: dropped
    (*listener)(*sequence, *copy);
  }
  return {};
}

Intake::Intake(std::vector<Route> routes, Limits limits, queue::Queue& queue, const Clock& clock)
    : impl_(std::make_unique<Impl>(queue, clock)) {
  SetRoutes(std::move(routes), limits);
}

Intake::~Intake() = default;

Status Intake::OnMessage(const Arrival& arrival) {
  RawMessage message;
  message.received_at = impl_->clock.Wall();  // before anything else (P5)
  message.boot_time = impl_->clock.Boot();
  message.clock = impl_->clock.Synchronized() ? ClockState::kSynchronized : ClockState::kUnsynchronized;
  impl_->Count(arrival, message.received_at);

  const std::shared_ptr<const Table> table = impl_->CurrentTable();
  const Route* route = FindRoute(*table, arrival.topic);
  if (route == nullptr) {
    Add(impl_->unrouted);
    impl_->queue.CountUnrouted();
    return {};
  }
  if (impl_->EndsHere(arrival, *route, table->limits)) {
    return {};
  }
  message.stream = route->stream;
  message.topic = arrival.topic;
  message.qos = arrival.qos;
  message.retained = arrival.retained;
  message.redelivered = arrival.redelivered;
  Add(impl_->properties_truncated, !CopyProperties(arrival, message));
  if (Status stored = impl_->Store(arrival, table->limits, std::move(message)); !stored) {
    return stored.error().With("message not stored");
  }
  if (arrival.retained) {
    impl_->retained.Remember(arrival.topic, arrival.payload);  // only now: a repeat of what was not stored is needed
  }
  return {};
}

void Intake::SetRoutes(std::vector<Route> routes, Limits limits) {
  auto table = std::make_shared<const Table>(Table{std::move(routes), limits});
  const std::lock_guard lock(impl_->mutex);
  impl_->table.swap(table);
}

void Intake::SetTap(std::shared_ptr<const Tap> tap) {
  const std::lock_guard lock(impl_->mutex);
  impl_->tap.swap(tap);
}

IntakeStats Intake::Stats() const {
  const auto load = [](const auto& counter) { return counter.load(std::memory_order_relaxed); };
  IntakeStats stats;
  stats.received = load(impl_->received);
  stats.unrouted = load(impl_->unrouted);
  stats.qos0 = load(impl_->qos0);
  stats.redelivered = load(impl_->redelivered);
  stats.too_large = load(impl_->too_large);
  stats.properties_truncated = load(impl_->properties_truncated);
  stats.last_at = WallTime(std::chrono::microseconds(load(impl_->last_at_us)));
  return stats;
}

}  // namespace packhorse::ingest
