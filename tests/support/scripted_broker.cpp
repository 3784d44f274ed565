#include "support/scripted_broker.h"

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

int Number(const std::string& bytes, std::size_t at) {
  return static_cast<unsigned char>(bytes.at(at)) << 8 | static_cast<unsigned char>(bytes.at(at + 1));
}

// The text behind the identifier of a SUBSCRIBE or UNSUBSCRIBE, which has one filter and no properties with MQTT 5.
std::string FilterOf(const std::string& body, bool v5) {
  const std::size_t at = v5 ? 3 : 2;
  return body.substr(at + 2, static_cast<std::size_t>(Number(body, at)));
}

}  // namespace

ScriptedBroker::ScriptedBroker() : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
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

void ScriptedBroker::Send(const Publish& publish) {
  const std::lock_guard lock(mutex_);
  Send(*current_, publish);
}

void ScriptedBroker::SendTo(std::size_t n, const Publish& publish) {
  const std::lock_guard lock(mutex_);
  Send(*greeted_.at(n), publish);
}

void ScriptedBroker::Send(Client& client, const Publish& publish) {
  std::string body;
  PutText(body, publish.topic);
  if (publish.qos > 0) {
    PutId(body, publish.id);
  }
  if (client.v5) {
    body += '\0';
  }
  body += publish.payload;
  const int flags = (publish.dup ? 8 : 0) | publish.qos << 1;
  Put(client, 0x30 | flags, body);
}

void ScriptedBroker::Put(Client& client, int first, const std::string& body) {
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

void ScriptedBroker::Run() {
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

bool ScriptedBroker::Read(const ClientPtr& client) {
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

// The protocol level follows the protocol's name, then flags, keep-alive, properties with MQTT 5, and the client id.
bool ScriptedBroker::AnswerConnect(const ClientPtr& connection, const std::string& body) {
  Client& client = *connection;
  client.v5 = body.at(6) == 5;
  if (client.v5 && mqtt5_ != Mqtt5::kSpoken) {
    if (mqtt5_ == Mqtt5::kRefused) {
      Put(client, 0x20, {'\0', '\1'});
    }
    return false;
  }
  const std::size_t id_at = client.v5 ? 11 + static_cast<unsigned char>(body.at(10)) : 10;
  Hello hello{body.substr(id_at + 2, static_cast<std::size_t>(Number(body, id_at))), Number(body, 8),
              (body.at(7) & 2) != 0};
  if (!hello.client_id.empty()) {
    hellos_.push_back(hello);
    greeted_.push_back(connection);
  }
  std::string properties;
  if (const std::uint16_t seconds = server_keep_alive_; client.v5 && seconds > 0) {
    properties += '\x13';
    PutId(properties, seconds);
  }
  if (const std::uint32_t seconds = session_expiry_; client.v5 && seconds > 0) {
    properties += '\x11';
    PutId(properties, static_cast<std::uint16_t>(seconds >> 16U));
    PutId(properties, static_cast<std::uint16_t>(seconds & 0xFFFFU));
  }
  Put(client, 0x20,
      std::string(1, session_present_ && !hello.clean ? '\1' : '\0') + '\0' +
          (client.v5 ? static_cast<char>(properties.size()) + properties : std::string()));
  return true;
}

bool ScriptedBroker::AnswerSubscribe(const ClientPtr& client, const std::string& body) {
  const std::string filter = FilterOf(body, client->v5);
  current_ = client;
  ++subscriptions_;
  if (!forbidden_.empty() && filter.find(forbidden_) != std::string::npos) {
    shutdown(client->fd.get(), SHUT_RDWR);
    return false;
  }
  if (!answers_subscribe_) {
    return true;
  }
  subscribed_.push_back(filter);
  const int first = granted_first_.exchange(-1);
  const auto code = static_cast<char>(first >= 0 ? first : granted_.load());
  Put(*client, 0x90, body.substr(0, 2) + (client->v5 ? std::string(1, '\0') : "") + code);
  if (takes_over_) {
    Put(*client, 0xE0, {'\x8E', '\0'});
  }
  return true;
}

bool ScriptedBroker::Answer(const ClientPtr& client, int first, const std::string& body) {
  const auto id_at = [&](std::size_t at) {
    return static_cast<std::uint16_t>(static_cast<unsigned char>(body[at]) << 8 |
                                      static_cast<unsigned char>(body[at + 1]));
  };
  const std::string properties(client->v5 ? 1 : 0, '\0');
  switch (first >> 4) {
    case 1:  // CONNECT
      return AnswerConnect(client, body);
    case 8:  // SUBSCRIBE
      return AnswerSubscribe(client, body);
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
      unsubscribed_.push_back(FilterOf(body, client->v5));
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
