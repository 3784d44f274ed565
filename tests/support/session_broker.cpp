#include "support/session_broker.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <stdexcept>

namespace packhorse::test {
namespace {

// Length of the fixed header of a packet that is there in full, and its body's; 0: not yet.
std::size_t Whole(const std::string& bytes, std::size_t& size) {
  size = 0;
  for (std::size_t i = 1; i < bytes.size(); ++i) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    size |= static_cast<std::size_t>(byte & 0x7FU) << (7 * (i - 1));
    if ((byte & 0x80U) == 0) {
      return bytes.size() >= i + 1 + size ? i + 1 : 0;
    }
  }
  return 0;
}

}  // namespace

SessionBroker::SessionBroker() : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0 ||
      listen(listener_.get(), 16) != 0) {
    throw std::runtime_error("session broker: no port to listen on");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Run(); });
}

void SessionBroker::Send(const Publish& publish) {
  const std::lock_guard lock(mutex_);
  std::string body;
  PutText(body, publish.topic);
  if (publish.qos > 0) {
    PutId(body, publish.id);
  }
  if (current_->v5) {
    body += '\0';
  }
  body += publish.payload;
  const int flags = (publish.dup ? 8 : 0) | publish.qos << 1;
  Put(*current_, 0x30 | flags, body);
}

void SessionBroker::Put(Client& client, int first, const std::string& body) {
  std::string packet(1, static_cast<char>(first));
  std::size_t size = body.size();
  do {
    packet += static_cast<char>((size & 0x7FU) | (size > 0x7F ? 0x80U : 0U));
    size >>= 7U;
  } while (size > 0);
  packet += body;
  std::size_t sent = 0;
  while (sent < packet.size()) {
    const ssize_t n = send(client.fd.get(), packet.data() + sent, packet.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) {
      return;
    }
    sent += static_cast<std::size_t>(n);
  }
}

void SessionBroker::Run() {
  std::vector<ClientPtr> clients;
  while (!stop_) {
    std::vector<pollfd> items = {{listener_.get(), POLLIN, 0}};
    for (const ClientPtr& client : clients) {
      items.push_back({client->fd.get(), POLLIN, 0});
    }
    poll(items.data(), items.size(), 20);
    for (std::size_t i = clients.size(); i > 0; --i) {
      if (items[i].revents != 0 && !Read(clients[i - 1])) {
        clients.erase(clients.begin() + static_cast<std::ptrdiff_t>(i - 1));
      }
    }
    if (items[0].revents != 0) {
      clients.push_back(std::make_shared<Client>());
      clients.back()->fd = Fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    }
  }
}

bool SessionBroker::Read(const ClientPtr& client) {
  std::array<char, 4096> bytes{};
  const ssize_t n = recv(client->fd.get(), bytes.data(), bytes.size(), 0);
  if (n <= 0) {
    return false;
  }
  client->received.append(bytes.data(), static_cast<std::size_t>(n));
  std::size_t size = 0;
  while (std::size_t head = Whole(client->received, size)) {
    const int first = static_cast<unsigned char>(client->received[0]);
    const std::string body = client->received.substr(head, size);
    client->received.erase(0, head + size);
    const std::lock_guard lock(mutex_);
    if (!Answer(client, first, body)) {
      return false;
    }
    changed_.notify_all();
  }
  return true;
}

bool SessionBroker::Answer(const ClientPtr& client, int first, const std::string& body) {
  const auto id_at = [&](std::size_t at) {
    return static_cast<std::uint16_t>(static_cast<unsigned char>(body[at]) << 8 |
                                      static_cast<unsigned char>(body[at + 1]));
  };
  const std::string properties(client->v5 ? 1 : 0, '\0');
  switch (first >> 4) {
    case 1:  // CONNECT; the protocol level follows its name
      client->v5 = body[6] == 5;
      Put(*client, 0x20, std::string(1, session_present_ ? '\1' : '\0') + std::string(client->v5 ? 2 : 1, '\0'));
      return true;
    case 8:  // SUBSCRIBE
      current_ = client;
      ++subscriptions_;
      Put(*client, 0x90, Id(id_at(0)) + properties + '\1');
      return true;
    case kPuback:
    case kPubrec:
    case kPubrel:
    case kPubcomp:
      replies_.push_back({first >> 4, id_at(0)});
      reply_times_.push_back(std::chrono::steady_clock::now());
      if (first >> 4 == kPubrec && release_) {
        Put(*client, 0x62, Id(id_at(0)));
      }
      return true;
    case 10:  // UNSUBSCRIBE
      Put(*client, 0xB0, Id(id_at(0)) + properties + (client->v5 ? std::string(1, '\0') : ""));
      return true;
    case 12:  // PINGREQ
      Put(*client, 0xD0, "");
      return true;
    default:  // DISCONNECT
      return false;
  }
}

}  // namespace packhorse::test
