#include "publisher.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace packhorse::fleet {
namespace {

constexpr std::chrono::milliseconds kRetry{200};

// Packet types of MQTT 3.1.1 section 2.2.1, in the upper half of the first byte.
constexpr unsigned kConnack = 2;
constexpr unsigned kPuback = 4;

void AppendShort(std::string& to, std::size_t value) {
  to += static_cast<char>((value >> 8U) & 0xffU);
  to += static_cast<char>(value & 0xffU);
}

// Remaining Length, section 2.2.3: seven bits a byte, least significant first.
void AppendLength(std::string& to, std::size_t length) {
  do {
    const std::size_t rest = length >> 7U;
    to += static_cast<char>((length & 0x7fU) | (rest > 0 ? 0x80U : 0U));
    length = rest;
  } while (length > 0);
}

std::string ConnectPacket(const std::string& client_id) {
  std::string packet("\x10", 1);
  AppendLength(packet, 12 + client_id.size());
  packet += std::string("\0\4MQTT\4", 7);
  packet += '\2';                  // clean session: what matters is kept on this side
  packet += std::string(2, '\0');  // keep alive off: a lost broker shows in the socket
  AppendShort(packet, client_id.size());
  return packet + client_id;
}

}  // namespace

Publisher::Publisher(PublisherOptions options, Acknowledged acknowledged)
    : options_(std::move(options)), acknowledged_(std::move(acknowledged)), slots_(options_.window) {
  for (std::size_t slot = slots_.size(); slot > 0; --slot) {
    free_.push_back(slot - 1);
  }
}

void Publisher::Publish(Message message) {
  const std::size_t slot = free_.back();
  free_.pop_back();
  slots_[slot] = {std::move(message), next_order_++};
  Encode(slot);
}

void Publisher::Encode(std::size_t slot) {
  const Message& message = slots_[slot].message;
  out_ += '\x32';  // PUBLISH, QoS 1
  AppendLength(out_, 4 + message.topic.size() + message.payload.size());
  AppendShort(out_, message.topic.size());
  out_ += message.topic;
  AppendShort(out_, slot + 1);
  out_ += message.payload;
}

void Publisher::Work(TimePoint now) {
  if (state_ == State::kIdle && now >= retry_at_) {
    Connect(now);
  } else if (state_ == State::kConnecting) {
    FinishConnect(now);
  }
  if (state_ == State::kHandshake || state_ == State::kConnected) {
    Flush(now);
  }
  if (state_ == State::kHandshake || state_ == State::kConnected) {
    Read(now);
  }
}

void Publisher::Connect(TimePoint now) {
  fd_ = Fd(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int on = 1;
  setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(options_.port));
  inet_pton(AF_INET, options_.host.c_str(), &address.sin_addr);
  if (connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 && errno != EINPROGRESS) {
    Lost(now);
    return;
  }
  state_ = State::kConnecting;
}

void Publisher::FinishConnect(TimePoint now) {
  sockaddr_in peer{};
  socklen_t length = sizeof peer;
  if (getpeername(fd_.get(), reinterpret_cast<sockaddr*>(&peer), &length) == 0) {
    state_ = State::kHandshake;
    out_ = ConnectPacket(options_.client_id);
    return;
  }
  int error = 0;
  length = sizeof error;
  getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) {
    Lost(now);
  }
}

void Publisher::Lost(TimePoint now) {
  fd_.Close();
  state_ = State::kIdle;
  retry_at_ = now + kRetry;
  in_.clear();
  out_.clear();
}

void Publisher::Flush(TimePoint now) {
  while (!out_.empty()) {
    const ssize_t sent = send(fd_.get(), out_.data(), out_.size(), MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno != EAGAIN && errno != EINTR) {
        Lost(now);
      }
      return;
    }
    out_.erase(0, static_cast<std::size_t>(sent));
  }
}

void Publisher::Read(TimePoint now) {
  std::array<char, 65536> chunk;  // not initialised on purpose: filled by recv
  const ssize_t got = recv(fd_.get(), chunk.data(), chunk.size(), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
    return;
  }
  if (got <= 0) {
    Lost(now);
    return;
  }
  in_.append(chunk.data(), static_cast<std::size_t>(got));
  if (!HandlePackets()) {
    Lost(now);
  }
}

bool Publisher::HandlePackets() {
  std::size_t at = 0;
  // A broker sends a publisher nothing but short packets: CONNACK, PUBACK.
  while (in_.size() - at >= 2) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(in_.data()) + at;
    const std::size_t size = bytes[1];
    if (size > 127) {
      return false;
    }
    if (in_.size() - at < 2 + size) {
      break;
    }
    if (!HandlePacket(bytes[0] >> 4U, bytes + 2, size)) {
      return false;
    }
    at += 2 + size;
  }
  in_.erase(0, at);
  return true;
}

bool Publisher::HandlePacket(unsigned type, const unsigned char* body, std::size_t size) {
  if (type == kConnack && size == 2 && body[1] == 0) {
    state_ = State::kConnected;
    ++connects_;
    ResendAll();
    return true;
  }
  if (type != kPuback || size != 2) {
    return false;
  }
  const std::size_t slot = static_cast<std::size_t>(body[0]) * 256 + body[1] - 1;
  if (slot >= slots_.size() || slots_[slot].order == 0) {
    return false;
  }
  acknowledged_(slots_[slot].message);
  slots_[slot].order = 0;
  free_.push_back(slot);
  return true;
}

void Publisher::ResendAll() {
  std::vector<std::size_t> pending;
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
    if (slots_[slot].order != 0) {
      pending.push_back(slot);
    }
  }
  std::sort(pending.begin(), pending.end(),
            [this](std::size_t a, std::size_t b) { return slots_[a].order < slots_[b].order; });
  for (const std::size_t slot : pending) {
    Encode(slot);
  }
  resent_ += pending.size();
}

void Publisher::Close() {
  if (state_ == State::kConnected) {
    constexpr std::array<char, 2> kDisconnect = {'\xe0', '\0'};
    send(fd_.get(), kDisconnect.data(), kDisconnect.size(), MSG_NOSIGNAL);
  }
  fd_.Close();
  state_ = State::kIdle;
  retry_at_ = TimePoint::max();
}

}  // namespace packhorse::fleet
