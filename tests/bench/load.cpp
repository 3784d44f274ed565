#include "bench/load.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <thread>

#include "bench/meter.h"

namespace packhorse::bench {
namespace {

constexpr std::uint64_t kWindow = 1'000;  // mosquitto's max_inflight_messages below

std::string BrokerConfiguration(int port) {
  return "listener " + std::to_string(port) +
         " 127.0.0.1\nallow_anonymous true\npersistence false\nmax_queued_messages 0\nmax_inflight_messages 1000\n"
         "set_tcp_nodelay true\nlog_type error\n";
}

test::Process StartBroker(int port, const std::string& directory) {
  test::WriteAll(directory + "/mosquitto.conf", BrokerConfiguration(port));
  test::Process broker({"/usr/sbin/mosquitto", "-c", directory + "/mosquitto.conf"}, directory + "/mosquitto.log");
  if (!test::WaitFor([port] { return test::PortOpen(port); })) {
    Fail("mosquitto does not start: " + test::ReadAll(directory + "/mosquitto.log"));
  }
  return broker;
}

int ConnectTo(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    Fail("cannot connect to the broker");
  }
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return fd;
}

void WriteFully(int fd, const std::string& bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t written = send(fd, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
    if (written <= 0) {
      Fail("the broker closed the publisher's connection");
    }
    done += static_cast<std::size_t>(written);
  }
}

void AppendText(std::string& packet, const std::string& text) {
  packet.push_back(static_cast<char>(text.size() >> 8U));
  packet.push_back(static_cast<char>(text.size() & 0xFFU));
  packet += text;
}

// MQTT 3.1.1 section 2.2.3.
void AppendLength(std::string& packet, std::size_t length) {
  do {
    const std::size_t digit = length % 128;
    length /= 128;
    packet.push_back(static_cast<char>(length > 0 ? digit | 0x80U : digit));
  } while (length > 0);
}

std::string ConnectPacket() {
  std::string body;
  AppendText(body, "MQTT");
  body += std::string("\x04\x02\x00\x00", 4);  // level 4, clean session, no keep-alive
  AppendText(body, "bench-publisher");
  std::string packet("\x10");
  AppendLength(packet, body.size());
  return packet + body;
}

void AppendPublish(std::string& out, std::uint64_t number) {
  const Traffic::Item& item = Traffic::Shared().At(number);
  std::string body;
  AppendText(body, item.topic);
  const auto id = static_cast<unsigned>(number % 65'535 + 1);
  body.push_back(static_cast<char>(id >> 8U));
  body.push_back(static_cast<char>(id & 0xFFU));
  body += item.payload;
  out.push_back('\x32');  // PUBLISH, QoS 1
  AppendLength(out, body.size());
  out += body;
}

}  // namespace

Broker::Broker(const std::string& directory) : port_(test::FreePort()), process_(StartBroker(port_, directory)) {}

double Broker::CpuSeconds() const { return Measure(std::to_string(process_.pid())).cpu_seconds; }

void Publish(int port, std::uint64_t messages, std::uint64_t per_second) {
  const int fd = ConnectTo(port);
  WriteFully(fd, ConnectPacket());
  std::uint64_t received_bytes = 0;  // CONNACK and every PUBACK have four bytes
  std::uint64_t sent = 0;
  const auto started = std::chrono::steady_clock::now();
  std::array<char, 65'536> in{};
  while (received_bytes < 4 * (messages + 1)) {
    const std::uint64_t acknowledged = received_bytes < 4 ? 0 : received_bytes / 4 - 1;
    std::uint64_t allowed = messages;
    if (per_second > 0) {
      const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - started;
      allowed = std::min(messages, static_cast<std::uint64_t>(elapsed.count() * static_cast<double>(per_second)) + 1);
    }
    std::string out;
    while (sent < allowed && sent - acknowledged < kWindow && out.size() < 65'536) {
      AppendPublish(out, sent++);
    }
    WriteFully(fd, out);
    const bool must_wait = out.empty() && (sent > acknowledged || received_bytes < 4);
    const ssize_t got = recv(fd, in.data(), in.size(), must_wait ? 0 : MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN)) {
      Fail("the broker closed the publisher's connection");
    }
    received_bytes += got > 0 ? static_cast<std::uint64_t>(got) : 0;
    if (got <= 0 && out.empty()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  close(fd);
}

test::Process StartPublisher(int port, std::uint64_t messages, std::uint64_t per_second, const std::string& directory) {
  return test::Process({std::string(BINARY_DIR) + "/bin/bench_load", std::to_string(port), std::to_string(messages),
                        std::to_string(per_second)},
                       directory + "/load.log");
}

test::Process StartCloud(int port, const std::string& directory) {
  test::Process cloud(
      {std::string(BINARY_DIR) + "/bin/packhorse-cloud", "--listen", "127.0.0.1:" + std::to_string(port), "--database",
       directory + "/cloud.db", "--rate-limit", "1000000000/1"},
      directory + "/cloud.log");
  if (!test::WaitFor([port] { return test::PortOpen(port); })) {
    Fail("the reference cloud does not start: " + test::ReadAll(directory + "/cloud.log"));
  }
  return cloud;
}

}  // namespace packhorse::bench
