#pragma once

#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/file.h"

namespace packhorse::test {

// A broker that does what it is told: the test decides which PUBLISH packets it sends, when it cuts the connection and
// what it says of the session, and sees every acknowledgement. MQTT 5 and 3.1.1. Thread-safe.
class ScriptedBroker {
 public:
  struct Publish {
    std::uint16_t id = 1;
    std::string payload;
    bool dup = false;
    int qos = 1;
    std::string topic = "a/x";
  };
  // An acknowledgement: packet type and identifier.
  struct Reply {
    int type = 0;
    std::uint16_t id = 0;
    bool operator==(const Reply&) const = default;
  };
  static constexpr int kPuback = 4;
  static constexpr int kPubrec = 5;
  static constexpr int kPubrel = 6;
  static constexpr int kPubcomp = 7;

  ScriptedBroker();
  ~ScriptedBroker() {
    stop_ = true;
    thread_.join();
  }
  ScriptedBroker(const ScriptedBroker&) = delete;
  std::string url() const { return "mqtt://127.0.0.1:" + std::to_string(port_); }

  // On the connection that subscribed last.
  void Send(const Publish& publish);
  // On the connection of the n-th CONNECT with a client id.
  void SendTo(std::size_t n, const Publish& publish);
  void SendPubrel(std::uint16_t id) {
    const std::lock_guard lock(mutex_);
    Put(*current_, 0x62, Id(id));
  }
  void Cut() {
    const std::lock_guard lock(mutex_);
    shutdown(current_->fd.get(), SHUT_RDWR);
  }
  // What becomes of a CONNECT of MQTT 5: an old broker answers it in the form of 3.1.1, or closes the connection.
  enum class Mqtt5 { kSpoken, kRefused, kCloses };
  void SetMqtt5(Mqtt5 mqtt5) { mqtt5_ = mqtt5; }
  void SetSessionPresent(bool present) { session_present_ = present; }
  // MQTT 5: what CONNACK says as Server Keep Alive and as Session Expiry Interval.
  void SetServerKeepAlive(std::uint16_t seconds) { server_keep_alive_ = seconds; }
  void SetSessionExpiry(std::uint32_t seconds) { session_expiry_ = seconds; }
  // The answer to each filter of a SUBSCRIBE.
  void SetGranted(std::uint8_t code) { granted_ = code; }
  // The answer to the first SUBSCRIBE, once.
  void SetGrantedFirst(std::uint8_t code) { granted_first_ = code; }
  // Whether a SUBSCRIBE is answered at all.
  void SetAnswersSubscribe(bool answers) { answers_subscribe_ = answers; }
  // MQTT 5: ends each connection after its first SUBSCRIBE as if another client had taken the session over.
  void SetTakesOver(bool takes_over) { takes_over_ = takes_over; }
  // A SUBSCRIBE with a filter that contains this ends the connection.
  void SetForbidden(const std::string& part) {
    const std::lock_guard lock(mutex_);
    forbidden_ = part;
  }
  // Whether PUBREC is answered with PUBREL.
  void SetRelease(bool release) { release_ = release; }

  // Whatever a broker might send, also what it must not.
  void SendBytes(const std::string& bytes) {
    const std::lock_guard lock(mutex_);
    static_cast<void>(send(current_->fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL));
  }

  // Of a CONNECT with a client id.
  struct Hello {
    std::string client_id;
    int keep_alive = 0;
    bool clean = false;
  };
  std::vector<Hello> Hellos() const {
    const std::lock_guard lock(mutex_);
    return hellos_;
  }
  // Of all SUBSCRIBEs that were granted, and of all UNSUBSCRIBEs, in their order.
  std::vector<std::string> Subscribed() const {
    const std::lock_guard lock(mutex_);
    return subscribed_;
  }
  std::vector<std::string> Unsubscribed() const {
    const std::lock_guard lock(mutex_);
    return unsubscribed_;
  }

  std::vector<Reply> Replies() const {
    const std::lock_guard lock(mutex_);
    return replies_;
  }
  // When the bytes of each came.
  std::vector<std::chrono::steady_clock::time_point> ReplyTimes() const {
    const std::lock_guard lock(mutex_);
    return reply_times_;
  }
  bool WaitFor(const std::function<bool(const std::vector<Reply>&)>& condition,
               std::chrono::milliseconds timeout = std::chrono::seconds(20)) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, timeout, [&] { return condition(replies_); });
  }
  bool WaitForReplies(std::size_t count) {
    return WaitFor([&](const auto& replies) { return replies.size() >= count; });
  }
  int Subscriptions() const {
    const std::lock_guard lock(mutex_);
    return subscriptions_;
  }
  bool WaitForSubscriptions(int count) {
    return WaitFor([&](const auto&) { return subscriptions_ >= count; });
  }

 private:
  struct Client {
    Fd fd;
    std::string received;
    bool v5 = false;
  };
  using ClientPtr = std::shared_ptr<Client>;

  static void PutText(std::string& out, const std::string& text) {
    PutId(out, static_cast<std::uint16_t>(text.size()));
    out += text;
  }
  static void PutId(std::string& out, std::uint16_t id) {
    out += static_cast<char>(id >> 8U);
    out += static_cast<char>(id & 0xFFU);
  }
  static std::string Id(std::uint16_t id) {
    std::string bytes;
    PutId(bytes, id);
    return bytes;
  }
  static void Put(Client& client, int first, const std::string& body);
  void Run();
  bool Read(const ClientPtr& client);
  bool Answer(const ClientPtr& client, int first, const std::string& body);
  bool AnswerConnect(const ClientPtr& connection, const std::string& body);
  static void Send(Client& client, const Publish& publish);
  bool AnswerSubscribe(const ClientPtr& client, const std::string& body);

  Fd listener_;
  int port_ = 0;
  std::atomic<bool> stop_{false};
  std::atomic<bool> session_present_{false};
  std::atomic<bool> release_{true};
  std::atomic<std::uint16_t> server_keep_alive_{0};
  std::atomic<std::uint32_t> session_expiry_{0};
  std::atomic<std::uint8_t> granted_{1};
  std::atomic<Mqtt5> mqtt5_{Mqtt5::kSpoken};
  std::atomic<int> granted_first_{-1};  // none
  std::atomic<bool> answers_subscribe_{true};
  std::atomic<bool> takes_over_{false};
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  ClientPtr current_;           // guarded by mutex_
  std::vector<Reply> replies_;  // likewise
  std::vector<std::chrono::steady_clock::time_point> reply_times_;
  int subscriptions_ = 0;  // likewise, as what follows
  std::string forbidden_;
  std::vector<Hello> hellos_;
  std::vector<ClientPtr> greeted_;  // of each, the connection
  std::vector<std::string> subscribed_;
  std::vector<std::string> unsubscribed_;
  std::thread thread_;
};

}  // namespace packhorse::test
