#include <algorithm>
#include <atomic>
#include <list>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/text.h"
#include "base/units.h"
#include "ingest/fingerprint.h"
#include "ingest/ingest.h"

namespace packhorse::ingest {
namespace {

constexpr std::size_t kMaxRetainedTopics = 10'000;
constexpr std::size_t kMaxUserProperties = 32;
constexpr std::size_t kMaxPropertyBytes = 4096;  // content type, names and values together
constexpr std::size_t kQuarantinedPayloadBytes = 4096;

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
  std::vector<TopicPattern> without_dots;  // of all routes, with '/' for each '.'
};

// A broker that speaks AMQP too may exchange the two (RabbitMQ does).
std::string WithoutDots(std::string_view topic) {
  std::string text(topic);
  std::replace(text.begin(), text.end(), '.', '/');
  return text;
}

std::vector<TopicPattern> PatternsWithoutDots(const std::vector<Route>& routes) {
  std::vector<TopicPattern> patterns;
  for (const Route& route : routes) {
    for (const TopicPattern& pattern : route.patterns) {
      if (Result<TopicPattern> parsed = TopicPattern::Parse(WithoutDots(pattern.text()))) {
        patterns.push_back(*std::move(parsed));
      }
    }
  }
  return patterns;
}

const TopicPattern* FindPattern(const Route& route, std::string_view topic) {
  const auto found = std::find_if(route.patterns.begin(), route.patterns.end(),
                                  [&](const TopicPattern& pattern) { return pattern.Matches(topic); });
  return found == route.patterns.end() ? nullptr : &*found;
}

const Route* FindRoute(const Table& table, std::string_view topic) {
  for (const Route& route : table.routes) {
    if (FindPattern(route, topic) != nullptr) {
      return &route;
    }
  }
  return nullptr;
}

// Whom the rate counts: the device that the topic names, else the topic.
std::string DeviceOf(const Route& route, std::string_view topic) {
  const TopicPattern* pattern = FindPattern(route, topic);
  const std::string_view device = pattern == nullptr ? "" : pattern->Device(topic);
  return std::string(device.empty() ? topic : device);
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
  Impl(queue::IntakePort& the_queue, const Clock& the_clock) : queue(the_queue), clock(the_clock) {}

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
  Pace PaceOf(const Arrival& arrival, const Route& route);
  void NoteUnrouted(const Arrival& arrival, const Table& current);
  void NoteQos0(const Arrival& arrival, StreamId stream);
  // Whether the queue took it; false: it was dropped on arrival and is counted.
  Result<bool> Store(const Arrival& arrival, const Limits& limits, std::optional<Lane> lane, RawMessage message);

  queue::IntakePort& queue;
  const Clock& clock;
  mutable std::mutex mutex;
  std::shared_ptr<const Table> table;  // guarded by mutex
  std::shared_ptr<const Tap> tap;      // guarded by mutex
  RetainedMemory retained;             // receive thread
  std::mutex rates_mutex;
  DeviceRates rates;  // guarded by rates_mutex
  std::mutex oddities_mutex;
  Oddities oddities;  // guarded by oddities_mutex

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

void Intake::Impl::NoteUnrouted(const Arrival& arrival, const Table& current) {
  const std::string without_dots = WithoutDots(arrival.topic);
  const bool but_for_dots = std::any_of(current.without_dots.begin(), current.without_dots.end(),
                                        [&](const TopicPattern& pattern) { return pattern.Matches(without_dots); });
  const std::lock_guard lock(oddities_mutex);
  oddities.unrouted.Note(arrival.topic);
  oddities.unrouted_but_for_dots += but_for_dots ? 1U : 0U;
}

void Intake::Impl::NoteQos0(const Arrival& arrival, StreamId stream) {
  if (arrival.qos == 0) {
    const std::lock_guard lock(oddities_mutex);
    oddities.qos0[stream].Note(arrival.topic);
  }
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

Pace Intake::Impl::PaceOf(const Arrival& arrival, const Route& route) {
  if (route.device_rate.messages == 0) {
    return Pace::kWithin;
  }
  const std::string device = DeviceOf(route, arrival.topic);
  const std::lock_guard lock(rates_mutex);
  return rates.Next(route.stream, device, route.device_rate, clock.Mono());
}

Result<bool> Intake::Impl::Store(const Arrival& arrival, const Limits& limits, std::optional<Lane> lane,
                                 RawMessage message) {
  const std::uint64_t bytes = std::max<std::uint64_t>(arrival.payload.size(), arrival.payload_bytes);
  if (bytes > limits.max_payload_bytes) {
    Add(too_large);
    message.payload = arrival.payload.substr(0, std::min(kQuarantinedPayloadBytes, arrival.payload.size()));
    const std::string detail = "topic \"" + Shorten(arrival.topic, 200) + "\": the payload has " +
                               std::to_string(bytes) + " bytes, max_payload_bytes is " +
                               std::to_string(limits.max_payload_bytes) + "; its first " +
                               std::to_string(message.payload.size()) + " bytes are kept";
    Status kept = queue.Quarantine(std::move(message), "too_large", detail);
    return kept ? Result<bool>(true) : Result<bool>(kept.error());
  }
  message.payload = arrival.payload;
  const std::shared_ptr<const Tap> listener = CurrentTap();
  std::optional<RawMessage> copy;
  if (listener) {
    copy = message;
  }
  const Result<queue::Slot> slot = queue.AppendTo(lane, std::move(message));
  RETURN_IF_ERROR(slot);
  const bool taken = slot->sequence > 0;
  if (listener && *listener && taken) {
    (*listener)(slot->lane, slot->sequence, *copy);
  }
  return taken;
}

Intake::Intake(std::vector<Route> routes, Limits limits, queue::IntakePort& queue, const Clock& clock)
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
    impl_->NoteUnrouted(arrival, *table);
    return {};
  }
  impl_->NoteQos0(arrival, route->stream);
  if (impl_->EndsHere(arrival, *route, table->limits)) {
    return {};
  }
  const Pace pace = impl_->PaceOf(arrival, *route);
  if (pace == Pace::kOver && route->device_rate.drops) {
    impl_->queue.CountDropped(route->stream, kOverDeviceRate);
    return {};
  }
  message.stream = route->stream;
  message.topic = arrival.topic;
  message.qos = arrival.qos;
  message.retained = arrival.retained;
  message.redelivered = arrival.redelivered;
  Add(impl_->properties_truncated, !CopyProperties(arrival, message));
  // A device that was over its rate stays there for a while, so that its messages keep their order.
  const bool moved = pace != Pace::kWithin && !route->device_rate.drops;
  const std::optional<Lane> lane = moved ? std::optional(Lane::kBulk) : std::nullopt;
  Result<bool> stored = impl_->Store(arrival, table->limits, lane, std::move(message));
  if (!stored) {
    return stored.error().With("message not stored");
  }
  if (arrival.retained && *stored) {
    impl_->retained.Remember(arrival.topic, arrival.payload);  // only now: a repeat of what was not stored is needed
  }
  return {};
}

void Intake::SetRoutes(std::vector<Route> routes, Limits limits) {
  std::vector<TopicPattern> without_dots = PatternsWithoutDots(routes);
  auto table = std::make_shared<const Table>(Table{std::move(routes), limits, std::move(without_dots)});
  const std::lock_guard lock(impl_->mutex);
  impl_->table.swap(table);
}

void Intake::SetTap(std::shared_ptr<const Tap> tap) {
  const std::lock_guard lock(impl_->mutex);
  impl_->tap.swap(tap);
}

std::vector<NoisyDevice> Intake::TakeNoisy() {
  const std::lock_guard lock(impl_->rates_mutex);
  return impl_->rates.TakeNoisy();
}

std::uint64_t Intake::MaxPayloadBytes() const { return impl_->CurrentTable()->limits.max_payload_bytes; }

Oddities Intake::TakeOddities() {
  const std::lock_guard lock(impl_->oddities_mutex);
  return std::exchange(impl_->oddities, {});
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
