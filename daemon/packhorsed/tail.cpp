#include "packhorsed/tail.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <mutex>
#include <nlohmann/json.hpp>
#include <utility>

#include "contract/cloud_contract.h"
#include "delivery/delivery.h"

namespace packhorse::daemon {
namespace {

constexpr std::size_t kMaxMessages = 1'000;
constexpr std::size_t kMaxBytes = 4U << 20U;
// Keeps a connection alive over a quiet time (lib/control closes idle ones after 30 s), and finds out who has gone.
constexpr std::chrono::seconds kHeartbeat{10};

using Json = nlohmann::ordered_json;

std::string Dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::size_t SizeOf(const RawMessage& message) { return message.payload.size() + message.topic.size() + sizeof message; }

}  // namespace

// Shared with the receive threads, which may hold a tap for a moment longer than anybody follows.
struct Tail::Ring {
  std::mutex mutex;
  std::deque<Arrived> messages;  // guarded by mutex
  std::size_t bytes = 0;         // guarded by mutex
  std::uint64_t dropped = 0;     // guarded by mutex

  bool Add(Lane lane, Sequence sequence, const RawMessage& message) {
    const std::lock_guard lock(mutex);
    if (messages.size() >= kMaxMessages || bytes + SizeOf(message) > kMaxBytes) {
      ++dropped;
      return false;
    }
    bytes += SizeOf(message);
    messages.push_back({lane, {sequence, message}});
    return messages.size() == 1;
  }
};

Tail::Tail(Parts& parts) : parts_(parts), ring_(std::make_shared<Ring>()) {}

Tail::~Tail() { SetTap(nullptr); }

void Tail::Follow(std::uint64_t connection, Filter filter) {
  followers_.push_back({connection, std::move(filter)});
  if (!parts_.tap) {
    SetTap(std::make_shared<const ingest::Intake::Tap>(
        [ring = ring_, uploader = parts_.uploader.get()](Lane lane, Sequence sequence, const RawMessage& message) {
          if (ring->Add(lane, sequence, message)) {
            uploader->Wake();
          }
        }));
  }
}

void Tail::SetTap(std::shared_ptr<const ingest::Intake::Tap> tap) {
  parts_.tap = std::move(tap);
  for (const auto& unit : parts_.sources) {
    unit->intake->SetTap(parts_.tap);
  }
}

void Tail::PushAll(control::Server& server, const std::string& line) {
  std::erase_if(followers_, [&](const Follower& follower) { return !server.Push(follower.connection, line); });
}

void Tail::Serve(control::Server& server, MonoTime now) {
  if (followers_.empty()) {
    return;
  }
  std::deque<Arrived> messages;
  std::uint64_t dropped = 0;
  {
    const std::lock_guard lock(ring_->mutex);
    messages.swap(ring_->messages);
    ring_->bytes = 0;
    dropped = std::exchange(ring_->dropped, 0);
  }
  for (const Arrived& arrived : messages) {
    const std::string stream = parts_.queue->StreamName(arrived.stored.message.stream);
    for (const auto& [device, line] : Lines(arrived)) {
      std::erase_if(followers_, [&, about = std::string_view(device), text = &line](const Follower& follower) {
        const Filter& filter = follower.filter;
        const bool wanted =
            (filter.stream.empty() || filter.stream == stream) && (filter.device.empty() || filter.device == about);
        return wanted && !server.Push(follower.connection, *text);
      });
    }
  }
  if (dropped > 0) {
    PushAll(server, Dump({{"outcome", "skipped"}, {"messages", dropped}}));
  }
  if (now >= next_heartbeat_) {
    next_heartbeat_ = now + kHeartbeat;
    PushAll(server, Dump({{"outcome", "alive"}}));
  }
  if (followers_.empty()) {
    SetTap(nullptr);
    const std::lock_guard lock(ring_->mutex);
    ring_->messages.clear();
    ring_->bytes = 0;
  }
}

std::vector<std::pair<std::string, std::string>> Tail::Lines(const Arrived& arrived) const {
  const contract::Decoded decoded = delivery::Decode(parts_.streams, parts_.queue->id(), arrived.lane, arrived.stored);
  std::vector<std::pair<std::string, std::string>> lines;
  if (decoded.kind == contract::Decoded::Kind::kRecords) {
    for (const CanonicalRecord& record : decoded.records) {
      lines.emplace_back(record.device_id, contract::ToJson(record));
    }
    return lines;
  }
  const bool ignored = decoded.kind == contract::Decoded::Kind::kIgnored;
  lines.emplace_back("", Dump({{"outcome", ignored ? "ignored" : "quarantine"},
                               {"reason", decoded.reason},
                               {"detail", decoded.detail},
                               {"topic", arrived.stored.message.topic},
                               {"server_received_at", FormatUtc(arrived.stored.message.received_at)}}));
  return lines;
}

}  // namespace packhorse::daemon
