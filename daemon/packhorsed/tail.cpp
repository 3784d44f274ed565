#include "packhorsed/tail.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "common/json_parts.h"
#include "contract/cloud_contract.h"

namespace packhorse::daemon {
namespace {

// Keeps a connection alive over a quiet time (lib/control closes idle ones after 30 s), and finds out who has gone.
constexpr std::chrono::seconds kHeartbeat{10};

std::string SkippedLine(std::uint64_t messages) { return Dump({{"outcome", "skipped"}, {"messages", messages}}); }

}  // namespace

Tail::~Tail() {
  if (source_) {
    app_.observer->Unfollow(*source_);
  }
}

void Tail::Follow(std::uint64_t connection, Filter filter) {
  followers_.push_back({connection, std::move(filter)});
  if (!source_) {
    shed_told_ = app_.observer->Snapshot().shed;
    source_ = app_.observer->Follow([this](const observer::Observation& observation) { Note(observation); });
  }
}

bool Tail::Wanted(const std::string& stream) const {
  return std::any_of(followers_.begin(), followers_.end(), [&](const Follower& follower) {
    return follower.filter.stream.empty() || follower.filter.stream == stream;
  });
}

void Tail::Note(const observer::Observation& observation) {
  const RawMessage& message = observation.stored.message;
  const contract::Decoded& decoded = observation.decoded;
  const std::string stream = app_.queue->StreamName(message.stream);
  if (!Wanted(stream)) {
    return;
  }
  if (decoded.kind == contract::Decoded::Kind::kRecords) {
    for (const CanonicalRecord& record : decoded.records) {
      lines_.push_back({stream, record.device_id, contract::ToJson(record)});
    }
    return;
  }
  const bool ignored = decoded.kind == contract::Decoded::Kind::kIgnored;
  lines_.push_back({stream, "",
                    Dump({{"outcome", ignored ? "ignored" : "quarantine"},
                          {"reason", decoded.reason},
                          {"detail", decoded.detail},
                          {"topic", message.topic},
                          {"server_received_at", FormatUtc(message.received_at)}})});
}

void Tail::PushAll(control::Server& server, const std::string& line) {
  std::erase_if(followers_, [&](const Follower& follower) { return !server.Push(follower.connection, line); });
}

bool Tail::Show(control::Server& server, Follower& follower, const Line& line) {
  const Filter& filter = follower.filter;
  const bool wanted = (filter.stream.empty() || filter.stream == line.stream) &&
                      (filter.device.empty() || filter.device == line.device);
  if (!wanted) {
    return true;
  }
  if (!server.HasRoom(follower.connection)) {
    ++follower.skipped;
    return true;
  }
  if (follower.skipped > 0 && !server.Push(follower.connection, SkippedLine(std::exchange(follower.skipped, 0)))) {
    return false;
  }
  return server.Push(follower.connection, line.text);
}

void Tail::Serve(control::Server& server, MonoTime now) {
  if (!source_) {
    return;
  }
  for (const Line& line : std::exchange(lines_, {})) {
    std::erase_if(followers_, [&](Follower& follower) { return !Show(server, follower, line); });
  }
  if (const std::uint64_t shed = app_.observer->Snapshot().shed; shed > shed_told_) {
    PushAll(server, SkippedLine(shed - shed_told_));
    shed_told_ = shed;
  }
  if (now >= next_heartbeat_) {
    next_heartbeat_ = now + kHeartbeat;
    PushAll(server, Dump({{"outcome", "alive"}}));
  }
  if (followers_.empty()) {
    app_.observer->Unfollow(*std::exchange(source_, std::nullopt));
  }
}

}  // namespace packhorse::daemon
