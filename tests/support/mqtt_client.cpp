#include "support/mqtt_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>
#include <utility>

namespace packhorse::test {
namespace {

using Steady = std::chrono::steady_clock;

// Packet types of MQTT 5 section 2.1.2, shifted into the first byte.
constexpr std::uint8_t kConnect = 0x10;
constexpr std::uint8_t kConnack = 0x20;
constexpr std::uint8_t kPublish = 0x30;
constexpr std::uint8_t kPuback = 0x40;
constexpr std::size_t kFlushAbove = std::size_t{256} * 1024;

std::string Word(std::size_t value) {
  return {static_cast<char>((value >> 8U) & 0xFFU), static_cast<char>(value & 0xFFU)};
}

std::string Text(const std::string& bytes) { return Word(bytes.size()) + bytes; }

std::string VariableInteger(std::size_t value) {
  std::string bytes;
  do {
    const std::size_t digit = value % 128;
    value /= 128;
    bytes.push_back(static_cast<char>(value > 0 ? digit | 0x80U : digit));
  } while (value > 0);
  return bytes;
}

std::uint8_t Byte(const std::string& bytes, std::size_t at) {
  return at < bytes.size() ? static_cast<std::uint8_t>(bytes[at]) : std::uint8_t{0};
}

std::string Properties(const MqttMessage& message) {
  std::string properties;
  if (!message.content_type.empty()) {
    properties += '\x03' + Text(message.content_type);
  }
  for (const auto& [name, value] : message.user_properties) {
    properties += '\x26' + Text(name) + Text(value);
  }
  return VariableInteger(properties.size()) + properties;
}

// The Receive Maximum of a CONNACK as mosquitto sends it; 65,535 when there is none (MQTT 5 section 3.2.2.3.3).
std::size_t ReceiveMaximum(const std::string& connack) {
  std::size_t at = 3;  // flags, reason code, property length (below 128)
  while (at < connack.size()) {
    const std::uint8_t property = Byte(connack, at++);
    switch (property) {
      case 0x21:
        return static_cast<std::size_t>(Byte(connack, at) << 8U) + Byte(connack, at + 1);
      case 0x11:  // session expiry
      case 0x27:  // maximum packet size
        at += 4;
        break;
      case 0x22:  // topic alias maximum
      case 0x13:  // server keep alive
        at += 2;
        break;
      case 0x24:  // maximum QoS
      case 0x25:  // retain available
      case 0x28:  // wildcard subscriptions
      case 0x29:  // subscription identifiers
      case 0x2A:  // shared subscriptions
        at += 1;
        break;
      case 0x12:  // assigned client id
      case 0x1F:  // reason text
        at += 2 + static_cast<std::size_t>(Byte(connack, at) << 8U) + Byte(connack, at + 1);
        break;
      default:
        throw std::runtime_error("CONNACK with unexpected property " + std::to_string(property));
    }
  }
  return 65'535;
}

int Left(Steady::time_point deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Steady::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

}  // namespace

MqttClient::MqttClient(Options options) : options_(std::move(options)) { Connect(); }

MqttClient::MqttClient(int port)
    : MqttClient([port] {
        Options options;
        options.port = port;
        return options;
      }()) {}

MqttClient::~MqttClient() {
  if (socket_.valid()) {
    const std::array<char, 2> disconnect = {'\xE0', '\0'};
    static_cast<void>(send(socket_.get(), disconnect.data(), disconnect.size(), MSG_NOSIGNAL));
  }
}

void MqttClient::Connect() {
  socket_ = Fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(options_.port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw std::runtime_error("cannot connect to port " + std::to_string(options_.port));
  }
  const int on = 1;
  setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);

  const bool with_user = !options_.username.empty();
  const unsigned flags = (with_user ? 0xC0U : 0U) | (options_.clean_start ? 0x02U : 0U);
  std::string body = Text("MQTT");
  body += static_cast<char>(options_.protocol);
  body += static_cast<char>(flags);
  body += Word(60);  // keep alive
  if (options_.protocol == 5) {
    body += '\0';
  }
  body += Text(options_.client_id);
  if (with_user) {
    body += Text(options_.username) + Text(options_.password);
  }
  output_ = static_cast<char>(kConnect) + VariableInteger(body.size()) + body;
  if (!FlushOutput(Steady::now() + std::chrono::seconds(10))) {
    throw std::runtime_error("connection closed while connecting");
  }
  ReadConnack();
}

void MqttClient::ReadConnack() {
  const auto deadline = Steady::now() + std::chrono::seconds(10);
  std::uint8_t type = 0;
  std::string body;
  while (!TakePacket(type, body)) {
    if (!FillInput(Left(deadline)) || Left(deadline) == 0) {
      throw std::runtime_error("no CONNACK");
    }
  }
  if ((type & 0xF0U) != kConnack || Byte(body, 1) != 0) {
    throw std::runtime_error("connection refused, code " + std::to_string(Byte(body, 1)));
  }
  session_present_ = (Byte(body, 0) & 1U) != 0;
  if (options_.protocol == 5) {
    options_.window = std::min(options_.window, ReceiveMaximum(body));
  }
}

// False when the connection ended. Nothing to read within the time is fine.
bool MqttClient::FillInput(int timeout_ms) {
  pollfd item{socket_.get(), POLLIN, 0};
  if (poll(&item, 1, timeout_ms) <= 0) {
    return true;
  }
  std::array<char, 65'536> buffer;
  const ssize_t count = recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (count < 0) {
    return errno == EAGAIN || errno == EINTR;
  }
  input_.erase(0, std::exchange(consumed_, std::size_t{0}));
  input_.append(buffer.data(), static_cast<std::size_t>(count));
  return count > 0;
}

bool MqttClient::TakePacket(std::uint8_t& type, std::string& body) {
  std::size_t length = 0;
  std::size_t at = consumed_ + 1;
  for (unsigned shift = 0;; shift += 7) {
    if (at >= input_.size()) {
      return false;
    }
    const std::uint8_t digit = Byte(input_, at++);
    length |= static_cast<std::size_t>(digit & 0x7FU) << shift;
    if ((digit & 0x80U) == 0) {
      break;
    }
  }
  if (input_.size() < at + length) {
    return false;
  }
  type = Byte(input_, consumed_);
  body = input_.substr(at, length);
  consumed_ = at + length;
  return true;
}

// False when the broker said goodbye.
bool MqttClient::HandlePackets() {
  std::uint8_t type = 0;
  std::string body;
  while (TakePacket(type, body)) {
    if ((type & 0xF0U) == 0xE0U) {
      return false;
    }
    if ((type & 0xF0U) == kPuback) {
      --in_flight_;
      acknowledged_ += Byte(body, 2) < 0x80U ? 1U : 0U;
    }
  }
  return true;
}

bool MqttClient::FlushOutput(Steady::time_point deadline) {
  std::size_t done = 0;
  bool open = true;
  while (open && done < output_.size()) {
    const ssize_t count =
        send(socket_.get(), output_.data() + done, output_.size() - done, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count > 0) {
      done += static_cast<std::size_t>(count);
      continue;
    }
    if (count < 0 && errno != EAGAIN && errno != EINTR) {
      return false;
    }
    // The broker may wait for us to read before it reads on.
    pollfd item{socket_.get(), POLLIN | POLLOUT, 0};
    if (poll(&item, 1, Left(deadline)) <= 0) {
      return false;
    }
    if ((item.revents & POLLIN) != 0) {
      open = FillInput(0) && HandlePackets();
    }
  }
  output_.clear();
  return open;
}

void MqttClient::AppendPublish(const MqttMessage& message) {
  std::string head = Text(message.topic);
  if (message.qos > 0) {
    head += Word(next_id_);
    next_id_ = next_id_ == 65'535 ? std::uint16_t{1} : static_cast<std::uint16_t>(next_id_ + 1);
    ++in_flight_;
  }
  if (options_.protocol == 5) {
    head += Properties(message);
  }
  const unsigned first = kPublish | (message.qos > 0 ? 2U : 0U) | (message.retained ? 1U : 0U);
  output_ += static_cast<char>(first);
  output_ += VariableInteger(head.size() + message.payload.size());
  output_ += head;
  output_ += message.payload;
}

std::size_t MqttClient::Publish(const std::vector<MqttMessage>& messages, std::chrono::milliseconds timeout) {
  const auto deadline = Steady::now() + timeout;
  const std::size_t before = acknowledged_;
  std::size_t without_ack = 0;
  bool open = socket_.valid();
  for (const MqttMessage& message : messages) {
    while (open && message.qos > 0 && in_flight_ >= options_.window && Left(deadline) > 0) {
      open = FlushOutput(deadline) && FillInput(Left(deadline)) && HandlePackets();
    }
    if (!open || Left(deadline) == 0) {
      break;
    }
    AppendPublish(message);
    without_ack += message.qos == 0 ? 1U : 0U;
    if (output_.size() > kFlushAbove) {
      open = FlushOutput(deadline) && HandlePackets();
    }
  }
  open = open && FlushOutput(deadline);
  while (open && in_flight_ > 0 && Left(deadline) > 0) {
    open = HandlePackets() && (in_flight_ == 0 || FillInput(Left(deadline)));
  }
  static_cast<void>(open && HandlePackets());
  if (!open) {
    socket_.Close();
  }
  return acknowledged_ - before + without_ack;
}

bool MqttClient::Publish(const MqttMessage& message) {
  return Publish(std::vector<MqttMessage>{message}, std::chrono::seconds(10)) == 1;
}

}  // namespace packhorse::test
