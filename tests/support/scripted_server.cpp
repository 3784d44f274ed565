#include "support/scripted_server.h"

#include <poll.h>
#include <sys/socket.h>

#include <stdexcept>
#include <string_view>

#include "support/http/parser.h"

namespace packhorse::test {

std::string ScriptedConnection::ReadRequest() {
  std::size_t end = std::string::npos;
  while ((end = connection_.received().find(http::kEndOfHead)) == std::string::npos) {
    if (!connection_.Fill()) {
      return {};
    }
  }
  const std::size_t size = end + http::kEndOfHead.size() + http::ParseHead(connection_.received()).content_length;
  if (!connection_.FillTo(size)) {
    return {};
  }
  const std::string request = connection_.Take(size);
  record_(request);
  return request;
}

bool ScriptedConnection::Trickle(const std::string& bytes, std::chrono::milliseconds interval) {
  for (const char byte : bytes) {
    if (!Write(std::string(1, byte))) {
      return false;
    }
    std::this_thread::sleep_for(interval);
  }
  return true;
}

void ScriptedConnection::Discard(std::chrono::milliseconds quiet) {
  pollfd polled{connection_.fd(), POLLIN, 0};
  while (poll(&polled, 1, static_cast<int>(quiet.count())) > 0 && connection_.Fill()) {
    connection_.Take(connection_.received().size());
  }
}

void ScriptedConnection::Stall() {
  pollfd polled{connection_.fd(), POLLRDHUP, 0};
  poll(&polled, 1, -1);
}

void ScriptedConnection::Close() { shutdown(connection_.fd(), SHUT_RDWR); }

ScriptedServer::ScriptedServer(Script script, const std::string& address, int port)
    : server_({.address = address, .port = port},
              [this, script = std::move(script)](http::Connection& peer, int number) {
                ScriptedConnection connection(peer, [this](const std::string& request) {
                  const std::lock_guard lock(mutex_);
                  requests_.push_back(request);
                });
                script(connection, number);
              }) {
  if (const Status opened = server_.Open(); !opened) {
    throw std::runtime_error("the scripted server: " + opened.error().message);
  }
  thread_ = std::thread([this] { server_.Run(); });
}

ScriptedServer::~ScriptedServer() {
  server_.Stop();
  thread_.join();
}

std::vector<std::string> ScriptedServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
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
