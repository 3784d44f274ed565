#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"

namespace packhorse::test {

struct MqttMessage {
  std::string topic;    // any bytes
  std::string payload;  // any bytes
  int qos = 1;          // 0 or 1
  bool retained = false;
  std::vector<std::pair<std::string, std::string>> user_properties{};  // MQTT 5 only, as the next
  std::string content_type{};
};

// A publisher on a plain socket that counts what the broker acknowledged, and nothing else. Keeps one connection.
// Throws std::runtime_error when the broker cannot be reached or refuses the connection. Not thread-safe.
class MqttClient {
 public:
  struct Options {
    int port = 0;  // on 127.0.0.1
    std::string client_id{};
    std::string username{};
    std::string password{};
    int protocol = 5;           // 5 or 4 (3.1.1)
    bool clean_start = true;    // also ends an older session of this client id
    std::size_t window = 1000;  // QoS 1 messages in flight, at most what the broker allows
  };

  explicit MqttClient(Options options);
  explicit MqttClient(int port);
  ~MqttClient();
  MqttClient(const MqttClient&) = delete;
  MqttClient& operator=(const MqttClient&) = delete;

  // Publishes all, pipelined, and waits until each QoS 1 message is acknowledged or the time is over or the connection
  // ended. Returns how many of these messages were acknowledged (QoS 0: written).
  std::size_t Publish(const std::vector<MqttMessage>& messages,
                      std::chrono::milliseconds timeout = std::chrono::seconds(30));
  bool Publish(const MqttMessage& message);
  // QoS 1 messages acknowledged since the start; PUBACKs with an error code are not among them.
  std::size_t acknowledged() const { return acknowledged_; }
  bool session_present() const { return session_present_; }

 private:
  void Connect();
  void ReadConnack();
  bool FillInput(int timeout_ms);
  bool TakePacket(std::uint8_t& type, std::string& body);
  bool HandlePackets();
  bool FlushOutput(std::chrono::steady_clock::time_point deadline);
  void AppendPublish(const MqttMessage& message);

  Options options_;
  Fd socket_;
  std::string input_;
  std::size_t consumed_ = 0;  // of input_
  std::string output_;
  std::uint16_t next_id_ = 1;
  std::size_t in_flight_ = 0;
  std::size_t acknowledged_ = 0;
  bool session_present_ = false;
};

}  // namespace packhorse::test
