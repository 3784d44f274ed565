#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fake_queue.h"
#include "ingest/ingest.h"
#include "support/process.h"

namespace packhorse::test {

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
    auto source = ingest::MakeSource(std::move(options), intake_, SystemClock(), [this] { ++changes_; });
    EXPECT_TRUE(source) << (source ? "" : source.error().message);
    source_ = std::move(*source);
    const Status started = source_->Start();
    EXPECT_TRUE(started) << (started ? "" : started.error().message);
  }

  FakeQueue& queue() { return queue_; }
  ingest::Intake& intake() { return intake_; }
  ingest::Source& source() { return *source_; }
  ingest::SourceStatus status() const { return source_->Snapshot(); }
  int changes() const { return changes_; }

  bool WaitConnected(std::uint64_t connects = 1) {
    return WaitFor([&] {
      const ingest::SourceStatus now = status();
      return now.state == ingest::SourceState::kConnected && now.connects >= connects;
    });
  }
  // Waits for a state whose reason contains `text`.
  bool WaitReason(ingest::SourceState state, const std::string& text) {
    return WaitFor([&] {
      const ingest::SourceStatus now = status();
      return now.state == state && now.reason.find(text) != std::string::npos;
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
  FakeQueue queue_;
  std::atomic<int> changes_{0};
  ingest::Intake intake_;
  std::unique_ptr<ingest::Source> source_;
};

}  // namespace packhorse::test
