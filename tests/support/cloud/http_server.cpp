#include "http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "http_parser.h"

namespace packhorse::cloud {
namespace {

constexpr int kPollMs = 20;  // how late the end of a "down" may be noticed

Result<Fd> Listen(const std::string& host, int& port) {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  if (inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) {
    return Error{ErrorCode::kInvalidArgument, "listen address " + host + " is not an IPv4 address"};
  }
  socklen_t length = sizeof address;
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0 || listen(fd.get(), 128) != 0 ||
      getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    return ErrnoError("listen on " + host + ":" + std::to_string(port), errno);
  }
  port = ntohs(address.sin_port);
  return fd;
}

}  // namespace

HttpServer::HttpServer(ServerOptions options, Handler handler,
                       std::function<std::uint64_t(const Request&)> max_body_bytes, std::function<bool()> down)
    : options_(std::move(options)),
      handler_(std::move(handler)),
      max_body_bytes_(std::move(max_body_bytes)),
      down_(std::move(down)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

HttpServer::~HttpServer() = default;

Status HttpServer::Open() {
  Result<Fd> listener = Listen(options_.address, options_.port);
  if (!listener) {
    return listener.error();
  }
  listener_ = std::move(listener).value();
  if (options_.admin_port >= 0) {
    Result<Fd> admin = Listen(options_.address, options_.admin_port);
    if (!admin) {
      return admin.error();
    }
    admin_listener_ = std::move(admin).value();
  }
  return {};
}

void HttpServer::Run() {
  while (!stopping_) {
    ApplyDown(down_());
    std::array<pollfd, 3> fds = {pollfd{wake_.get(), POLLIN, 0}, pollfd{listener_.get(), POLLIN, 0},
                                 pollfd{admin_listener_.get(), POLLIN, 0}};  // a negative descriptor is ignored
    poll(fds.data(), fds.size(), kPollMs);
    if ((fds[1].revents & POLLIN) != 0) {
      AcceptFrom(listener_);
    }
    if ((fds[2].revents & POLLIN) != 0) {
      AcceptFrom(admin_listener_);
    }
  }
  Drain();
}

void HttpServer::Stop() {
  stopping_ = true;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_.get(), &one, sizeof one);
}

void HttpServer::ApplyDown(bool down) {
  if (down && listener_.valid()) {
    listener_.Close();
    ShutdownConnections(SHUT_RDWR);
  } else if (!down && !listener_.valid()) {
    int same_port = options_.port;  // a copy: other threads read the original
    if (Result<Fd> listener = Listen(options_.address, same_port)) {
      listener_ = std::move(listener).value();
    }
  }
}

void HttpServer::AcceptFrom(const Fd& listener) {
  Fd fd(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!fd.valid()) {
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    if (running_ >= options_.max_connections) {
      return;
    }
    open_.insert(fd.get());
    ++running_;
  }
  std::thread([this, fd = std::move(fd)]() mutable { ServeConnection(std::move(fd)); }).detach();
}

void HttpServer::ServeConnection(Fd fd) {
  const int number = fd.get();
  {
    Connection connection(std::move(fd));
    if (options_.tls == nullptr || connection.StartTls(*options_.tls)) {
      std::string buffer;
      while (ServeOne(connection, buffer) && !stopping_) {
      }
    }
    // Leaves the set before the descriptor is closed: its number may be given out again at once.
    const std::lock_guard lock(mutex_);
    open_.erase(number);
  }
  const std::lock_guard lock(mutex_);
  --running_;
  changed_.notify_all();
}

bool HttpServer::ServeOne(Connection& connection, std::string& buffer) {
  std::size_t end = std::string::npos;
  while ((end = buffer.find("\r\n\r\n")) == std::string::npos && buffer.size() <= kMaxHeadBytes) {
    std::array<char, 16384> chunk{};
    const std::size_t got = connection.Read(chunk.data(), chunk.size());
    if (got == 0) {
      return false;
    }
    buffer.append(chunk.data(), got);
  }
  Head head;
  if (end == std::string::npos) {
    head.request.framing = Framing::kMalformed;
    head.keep_alive = false;
  } else {
    head = ParseHead(std::string_view(buffer).substr(0, end + 2));
    buffer.erase(0, end + 4);
  }
  if (head.request.framing == Framing::kOk && head.content_length > max_body_bytes_(head.request)) {
    head.request.framing = Framing::kTooLarge;
    head.keep_alive = false;
  }
  if (head.request.framing == Framing::kOk && head.content_length > 0) {
    if (head.expects_continue && !connection.Write("HTTP/1.1 100 Continue\r\n\r\n")) {
      return false;
    }
    if (!ReadBody(connection, buffer, head.content_length, head.request.body)) {
      return false;
    }
  }
  return Send(connection, handler_(head.request), head.keep_alive);
}

bool HttpServer::ReadBody(Connection& connection, std::string& buffer, std::uint64_t length, std::string& body) {
  const std::size_t wanted = static_cast<std::size_t>(length);  // checked against the body limit before
  const std::size_t there = std::min(wanted, buffer.size());
  body = buffer.substr(0, there);
  buffer.erase(0, there);
  body.resize(wanted);
  for (std::size_t have = there; have < wanted;) {
    const std::size_t got = connection.Read(body.data() + have, wanted - have);
    if (got == 0) {
      return false;
    }
    have += got;
  }
  return true;
}

bool HttpServer::Send(Connection& connection, const Reply& reply, bool keep_alive) {
  if (reply.delay.count() > 0) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, reply.delay, [&] { return stopping_.load(); });
  }
  if (reply.wire == Wire::kReset) {
    connection.Reset();
    return false;
  }
  if (reply.wire == Wire::kDrop) {
    return false;
  }
  keep_alive = keep_alive && !stopping_;
  const bool sent = connection.Write(Serialize(reply, keep_alive, FormatHttpDate(SystemClock().Wall())));
  if (!keep_alive && sent) {
    connection.CloseGently();
  }
  return sent && keep_alive && reply.wire == Wire::kNormal;
}

void HttpServer::ShutdownConnections(int how) {
  const std::lock_guard lock(mutex_);
  for (const int fd : open_) {
    shutdown(fd, how);
  }
}

void HttpServer::Drain() {
  listener_.Close();
  admin_listener_.Close();
  ShutdownConnections(SHUT_RD);  // idle connections end at once, running requests still send their reply
  std::unique_lock lock(mutex_);
  changed_.notify_all();
  changed_.wait(lock, [&] { return running_ == 0; });
}

}  // namespace packhorse::cloud
