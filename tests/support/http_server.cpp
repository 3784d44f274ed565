#include "support/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <stdexcept>

namespace packhorse::test {
namespace {

constexpr int kTurnMs = 20;  // how soon a thread sees that the server is stopping

// Content-Length of a request head, 0 when there is none.
std::size_t BodyBytes(std::string head) {
  std::transform(head.begin(), head.end(), head.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const std::string name = "\r\ncontent-length:";
  const std::size_t at = head.find(name);
  return at == std::string::npos ? 0 : std::strtoul(head.c_str() + at + name.size(), nullptr, 10);
}

}  // namespace

bool ScriptedConnection::Fill() {
  pollfd polled{fd_.get(), POLLIN, 0};
  while (!stop_) {
    if (poll(&polled, 1, kTurnMs) <= 0) {
      continue;
    }
    std::array<char, 65536> chunk{};
    const ssize_t n = recv(fd_.get(), chunk.data(), chunk.size(), 0);
    if (n <= 0) {
      return false;
    }
    buffer_.append(chunk.data(), static_cast<std::size_t>(n));
    return true;
  }
  return false;
}

std::string ScriptedConnection::ReadRequest() {
  std::size_t end = std::string::npos;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (!Fill()) {
      return {};
    }
  }
  const std::size_t total = end + 4 + BodyBytes(buffer_.substr(0, end));
  while (buffer_.size() < total) {
    if (!Fill()) {
      return {};
    }
  }
  std::string request = buffer_.substr(0, total);
  buffer_.erase(0, total);
  record_(request);
  return request;
}

bool ScriptedConnection::ReadAtLeast(std::size_t bytes) {
  while (buffer_.size() < bytes) {
    if (!Fill()) {
      return false;
    }
  }
  return true;
}

bool ScriptedConnection::Write(const std::string& bytes) {
  std::size_t done = 0;
  while (done < bytes.size() && !stop_) {
    pollfd polled{fd_.get(), POLLOUT, 0};
    if (poll(&polled, 1, kTurnMs) <= 0) {
      continue;
    }
    const ssize_t n = send(fd_.get(), bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n <= 0) {
      return false;
    }
    done += static_cast<std::size_t>(n);
  }
  return done == bytes.size();
}

bool ScriptedConnection::Trickle(const std::string& bytes, std::chrono::milliseconds interval) {
  for (const char byte : bytes) {
    if (stop_ || !Write(std::string(1, byte))) {
      return false;
    }
    std::this_thread::sleep_for(interval);
  }
  return true;
}

void ScriptedConnection::Discard(std::chrono::milliseconds quiet) {
  pollfd polled{fd_.get(), POLLIN, 0};
  while (!stop_ && poll(&polled, 1, static_cast<int>(quiet.count())) > 0 && Fill()) {
    buffer_.clear();
  }
}

void ScriptedConnection::Stall() {
  pollfd polled{fd_.get(), POLLRDHUP, 0};
  while (!stop_ && poll(&polled, 1, kTurnMs) == 0) {
  }
}

void ScriptedConnection::Reset() {
  const linger now{1, 0};
  setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  fd_.Close();
}

ScriptedServer::ScriptedServer(Script script, const std::string& ip, int port)
    : script_(std::move(script)), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  socklen_t length = sizeof address;
  if (inet_pton(AF_INET, ip.c_str(), &address.sin_addr) != 1 ||
      bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), length) != 0 || listen(listener_.get(), 64) != 0 ||
      getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    throw std::runtime_error("the scripted server cannot listen");
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { Accept(); });
}

ScriptedServer::~ScriptedServer() {
  stop_ = true;
  acceptor_.join();
  for (std::thread& worker : workers_) {
    worker.join();
  }
}

std::vector<std::string> ScriptedServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void ScriptedServer::Accept() {
  while (!stop_) {
    pollfd polled{listener_.get(), POLLIN, 0};
    if (poll(&polled, 1, kTurnMs) <= 0) {
      continue;
    }
    Fd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd.valid()) {
      continue;
    }
    workers_.emplace_back([this, number = connections_++, peer = std::move(fd)]() mutable {
      ScriptedConnection connection(std::move(peer), stop_, [this](const std::string& request) {
        const std::lock_guard lock(mutex_);
        requests_.push_back(request);
      });
      script_(connection, number);
    });
  }
}

ScriptedServer::Script ScriptedServer::Always(std::string reply) {
  return [reply = std::move(reply)](ScriptedConnection& connection, int) {
    while (!connection.ReadRequest().empty() && connection.Write(reply)) {
    }
  };
}

std::string ScriptedServer::Reply(const std::string& status, const std::string& body, const std::string& headers) {
  return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + headers + "\r\n" + body;
}

}  // namespace packhorse::test
