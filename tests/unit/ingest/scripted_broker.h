#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "base/file.h"

namespace packhorse::test {

// What mosquitto does not do: a broker that accepts connections and subscriptions, and has one peculiarity.
class ScriptedBroker {
 public:
  enum class Kind {
    kOldAnswersInItsOwnForm,  // knows 3.1.1 alone, and refuses an MQTT 5 CONNECT with a CONNACK of 3.1.1
    kOldCloses,               // knows 3.1.1 alone, and closes the connection on an MQTT 5 CONNECT
    kTakesOver,               // MQTT 5: ends each session after its first subscription as if another client had come
    kGrantsQos0,              // MQTT 5: grants subscriptions with QoS 0
    kNoSuback,                // MQTT 5: never answers a SUBSCRIBE
    kRefusesOnce,             // MQTT 5: refuses the first SUBSCRIBE, and grants what comes later
  };

  explicit ScriptedBroker(Kind kind) : kind_(kind), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
        getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0 ||
        listen(listener_.get(), 16) != 0) {
      throw std::runtime_error("scripted broker: no port to listen on");
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Run(); });
  }
  ~ScriptedBroker() {
    stop_ = true;
    thread_.join();
  }
  ScriptedBroker(const ScriptedBroker&) = delete;
  ScriptedBroker& operator=(const ScriptedBroker&) = delete;

  std::string url() const { return "mqtt://127.0.0.1:" + std::to_string(port_); }

 private:
  void Run() {
    std::vector<Fd> clients;
    while (!stop_) {
      std::vector<pollfd> items = {{listener_.get(), POLLIN, 0}};
      for (const Fd& client : clients) {
        items.push_back({client.get(), POLLIN, 0});
      }
      poll(items.data(), items.size(), 20);
      for (std::size_t i = clients.size(); i > 0; --i) {
        if (items[i].revents != 0 && !Answer(clients[i - 1].get())) {
          clients.erase(clients.begin() + static_cast<std::ptrdiff_t>(i - 1));
        }
      }
      if (items[0].revents != 0) {
        clients.emplace_back(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      }
    }
  }

  // Whether the connection goes on. One read holds one packet: the client waits for each answer.
  bool Answer(int fd) {
    std::array<unsigned char, 1024> packet{};
    if (recv(fd, packet.data(), packet.size(), 0) <= 0) {
      return false;
    }
    const auto reply = [fd](const std::vector<unsigned char>& bytes) {
      return send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
    };
    const bool old = kind_ == Kind::kOldAnswersInItsOwnForm || kind_ == Kind::kOldCloses;
    switch (packet[0] & 0xF0U) {
      case 0x10:  // CONNECT; byte 8 is the protocol level
        if (!old) {
          return reply({0x20, 3, 0, 0, 0});
        }
        if (packet[8] == 4) {
          return reply({0x20, 2, 0, 0});
        }
        if (kind_ == Kind::kOldAnswersInItsOwnForm) {
          reply({0x20, 2, 0, 1});
        }
        return false;
      case 0x80:  // SUBSCRIBE; bytes 2 and 3 are its identifier
        switch (kind_) {
          case Kind::kNoSuback:
            return true;
          case Kind::kGrantsQos0:
            return reply({0x90, 4, packet[2], packet[3], 0, 0});
          case Kind::kRefusesOnce:
            return reply(
                {0x90, 4, packet[2], packet[3], 0, subscriptions_++ == 0 ? std::uint8_t{0x87} : std::uint8_t{1}});
          case Kind::kTakesOver:
            return reply({0x90, 4, packet[2], packet[3], 0, 1, 0xE0, 2, 0x8E, 0});
          default:
            return reply({0x90, 3, packet[2], packet[3], 1});
        }
      case 0xC0:  // PINGREQ
        return reply({0xD0, 0});
      default:
        return false;
    }
  }

  Kind kind_;
  Fd listener_;
  int port_ = 0;
  int subscriptions_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace packhorse::test
