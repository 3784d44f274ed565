#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/file.h"
#include "message.h"

namespace packhorse::fleet {

struct PublisherOptions {
  std::string host = "127.0.0.1";
  int port = 1883;
  std::string client_id;
  std::size_t window = 500;  // messages under way without PUBACK, at most 65,535
};

// One MQTT 3.1.1 connection that publishes at QoS 1 with many messages under way. What is not acknowledged when the
// connection breaks is sent again, in the old order, after the reconnect. Non-blocking; one thread; no allocation per
// acknowledgement.
class Publisher {
 public:
  using Acknowledged = std::function<void(const Message&)>;
  using TimePoint = std::chrono::steady_clock::time_point;

  Publisher(PublisherOptions options, Acknowledged acknowledged);

  // Whether another message fits: connected, and the window not full.
  bool CanPublish() const { return state_ == State::kConnected && !free_.empty() && out_.size() < kMaxBuffered; }
  // REQUIRES: CanPublish().
  void Publish(Message message);

  // Connects when it is time to, reads and writes what can be done without waiting.
  void Work(TimePoint now);
  // For poll(); -1 while there is no connection.
  int fd() const { return fd_.get(); }
  bool WantsWrite() const { return state_ == State::kConnecting || !out_.empty(); }

  std::size_t under_way() const { return slots_.size() - free_.size(); }
  std::uint64_t resent() const { return resent_; }
  std::uint64_t connects() const { return connects_; }
  // Sends DISCONNECT and closes.
  void Close();

 private:
  enum class State { kIdle, kConnecting, kHandshake, kConnected };
  struct Slot {
    Message message;
    std::uint64_t order = 0;  // 0: free
  };
  static constexpr std::size_t kMaxBuffered = std::size_t{256} * 1024;

  void Connect(TimePoint now);
  void FinishConnect(TimePoint now);
  void Lost(TimePoint now);
  void Encode(std::size_t slot);
  void Read(TimePoint now);
  bool HandlePackets();
  bool HandlePacket(unsigned type, const unsigned char* body, std::size_t size);
  void Flush(TimePoint now);
  void ResendAll();

  PublisherOptions options_;
  Acknowledged acknowledged_;
  State state_ = State::kIdle;
  Fd fd_;
  TimePoint retry_at_{};
  std::string in_;
  std::string out_;
  std::vector<Slot> slots_;        // packet identifier - 1
  std::vector<std::size_t> free_;  // slots without a message
  std::uint64_t next_order_ = 1;
  std::uint64_t resent_ = 0;
  std::uint64_t connects_ = 0;
};

}  // namespace packhorse::fleet
