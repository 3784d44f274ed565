#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "fake_queue.h"
#include "ingest/ingest.h"
#include "support/mosquitto.h"
#include "support/mqtt_client.h"
#include "support/process.h"

namespace packhorse::test {

inline bool Publish(const Mosquitto& broker, const MqttMessage& message) {
  return MqttClient(broker.port()).Publish(message);
}

inline ingest::Route RouteOf(StreamId stream, const std::vector<std::string>& patterns) {
  ingest::Route route;
  route.stream = stream;
  for (const std::string& text : patterns) {
    route.patterns.push_back(*TopicPattern::Parse(text));
  }
  return route;
}

inline ingest::SourceOptions SourceOptionsFor(const std::vector<std::string>& urls) {
  ingest::SourceOptions options;
  options.name = "plant";
  options.urls = urls;
  options.client_id = "packhorse-test";
  options.filters = {"a/#"};
  options.reconnect_min = std::chrono::milliseconds(20);
  options.reconnect_max = std::chrono::milliseconds(200);
  options.connect_timeout = std::chrono::seconds(5);
  return options;
}

// A source with an intake (stream 1: a/#) and a queue in memory.
class Bridge {
 public:
  explicit Bridge(ingest::SourceOptions options, ingest::Limits limits = {})
      : intake_({RouteOf(1, {"a/#"})}, limits, queue_, SystemClock()) {
    auto source = ingest::MakeSource(std::move(options), intake_, SystemClock(), [this] { Note(); });
    EXPECT_TRUE(source) << (source ? "" : source.error().message);
    source_ = std::move(*source);
    const Status started = source_->Start();
    EXPECT_TRUE(started) << (started ? "" : started.error().message);
  }

  FakeQueue& queue() { return queue_; }
  ingest::Intake& intake() { return intake_; }
  ingest::Source& source() { return *source_; }
  ingest::SourceStatus status() const { return source_->Snapshot(); }
  int changes() const {
    const std::lock_guard lock(mutex_);
    return static_cast<int>(seen_.size());
  }

  bool WaitConnected(std::uint64_t connects = 1) {
    return WaitFor([&] {
      const ingest::SourceStatus now = status();
      return now.state == ingest::SourceState::kConnected && now.connects >= connects;
    });
  }
  // Waits for a state whose reason contains `text`. It may be over by then: a state can be shorter than this thread
  // sleeps.
  bool WaitReason(ingest::SourceState state, const std::string& text) {
    const auto fits = [&](const ingest::SourceStatus& one) {
      return one.state == state && one.reason.find(text) != std::string::npos;
    };
    return WaitFor([&] {
      const std::lock_guard lock(mutex_);
      return fits(status()) || std::any_of(seen_.begin(), seen_.end(), fits);
    });
  }
  bool WaitDown(const std::string& text) { return WaitReason(ingest::SourceState::kDown, text); }
  // All payloads in the order of storing.
  std::vector<std::string> Payloads() const {
    std::vector<std::string> payloads;
    for (const RawMessage& message : queue_.Messages()) {
      payloads.push_back(message.payload);
    }
    return payloads;
  }

 private:
  void Note() {
    const std::lock_guard lock(mutex_);
    seen_.push_back(status());
  }

  FakeQueue queue_;
  mutable std::mutex mutex_;
  std::vector<ingest::SourceStatus> seen_;  // after each change; guarded by mutex_
  ingest::Intake intake_;
  std::unique_ptr<ingest::Source> source_;
};

}  // namespace packhorse::test
