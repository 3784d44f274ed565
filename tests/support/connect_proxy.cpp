#include "support/connect_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <utility>

#include "base/encode.h"
#include "support/http/parser.h"

namespace packhorse::test {
namespace {

Fd ConnectTo(int port) {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    fd.Close();
  }
  return fd;
}

// What has come from one side goes to the other.
bool Pass(http::Connection& from, http::Connection& to) {
  return from.received().empty() || to.Write(from.Take(from.received().size()));
}

// Until one side ends.
void Join(http::Connection& client, http::Connection& other) {
  while (Pass(client, other) && Pass(other, client)) {
    std::array<pollfd, 2> fds = {pollfd{client.fd(), POLLIN, 0}, pollfd{other.fd(), POLLIN, 0}};
    poll(fds.data(), fds.size(), -1);
    if ((fds[0].revents != 0 && !client.Fill()) || (fds[1].revents != 0 && !other.Fill())) {
      return;
    }
  }
}

}  // namespace

ConnectProxy::ConnectProxy(Options options)
    : options_(std::move(options)),
      server_({.tls = options_.tls}, [this](http::Connection& client, int) { Serve(client); }) {
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
  if (const Status opened = server_.Open(); !opened) {
    throw std::runtime_error("the proxy: " + opened.error().message);
  }
  thread_ = std::thread([this] { server_.Run(); });
}

ConnectProxy::~ConnectProxy() {
  server_.Stop();
  thread_.join();
}

std::string ConnectProxy::url() const {
  return (options_.tls ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(server_.port());
}

std::vector<std::string> ConnectProxy::asked() const {
  const std::lock_guard lock(mutex_);
  return asked_;
}

std::vector<std::string> ConnectProxy::heads() const {
  const std::lock_guard lock(mutex_);
  return heads_;
}

void ConnectProxy::Serve(http::Connection& client) {
  std::size_t end = std::string::npos;
  while ((end = client.received().find(http::kEndOfHead)) == std::string::npos) {
    if (!client.Fill()) {
      return;
    }
  }
  const std::string head = client.Take(end + http::kEndOfHead.size());
  const std::size_t blank = head.find(' ');
  const std::string target = head.substr(blank + 1, head.find(' ', blank + 1) - blank - 1);
  {
    const std::lock_guard lock(mutex_);
    asked_.push_back(target);
    heads_.push_back(head);
  }
  if (options_.silent) {
    while (client.Fill()) {
    }
    return;
  }
  const std::string wanted = "Proxy-Authorization: Basic " + Base64(options_.username + ":" + options_.password);
  std::string answer = options_.answer;
  if (head.compare(0, 8, "CONNECT ") != 0) {
    answer = "405 Method Not Allowed";
  } else if (!options_.username.empty() && head.find(wanted + "\r\n") == std::string::npos) {
    answer = "407 Proxy Authentication Required";
  }
  if (!answer.empty()) {
    client.Write("HTTP/1.1 " + answer +
                 "\r\nProxy-Authenticate: Basic realm=\"plant\"\r\nContent-Length: 6\r\n\r\nsorry\n");
    client.CloseGently();
    return;
  }
  http::Connection other(ConnectTo(std::atoi(target.substr(target.rfind(':') + 1).c_str())));
  if (other.fd() < 0) {
    client.Write("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
    client.CloseGently();
    return;
  }
  if (client.Write("HTTP/1.1 200 Connection established\r\nVia: 1.1 plant\r\n\r\n")) {
    Join(client, other);
  }
}

}  // namespace packhorse::test
