#include "support/http/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "support/http/parser.h"

namespace packhorse::http {
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

Server::Server(ServerOptions options, Handler handler, std::function<std::uint64_t(const Request&)> max_body_bytes,
               std::function<bool()> down)
    : Server(std::move(options), [this](Connection& connection, int) {
        while (ServeOne(connection) && !stopping_) {
        }
      }) {
  handler_ = std::move(handler);
  max_body_bytes_ = std::move(max_body_bytes);
  down_ = std::move(down);
}

Server::Server(ServerOptions options, Conversation conversation)
    : options_(std::move(options)),
      conversation_(std::move(conversation)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Status Server::Open() {
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

void Server::Run() {
  while (!stopping_) {
    ApplyDown(down_ && down_());
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

void Server::Stop() {
  stopping_ = true;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_.get(), &one, sizeof one);
}

void Server::ApplyDown(bool down) {
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

void Server::AcceptFrom(const Fd& listener) {
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
  std::thread([this, fd = std::move(fd), number = connections_++]() mutable {
    ServeConnection(std::move(fd), number);
  }).detach();
}

void Server::ServeConnection(Fd fd, int number) {
  const int descriptor = fd.get();
  {
    Connection connection(std::move(fd));
    if (options_.tls == nullptr || connection.StartTls(*options_.tls)) {
      conversation_(connection, number);
    }
    // Leaves the set before the descriptor is closed: its number may be given out again at once.
    const std::lock_guard lock(mutex_);
    open_.erase(descriptor);
  }
  const std::lock_guard lock(mutex_);
  --running_;
  changed_.notify_all();
}

bool Server::ServeOne(Connection& connection) {
  std::size_t end = std::string::npos;
  while ((end = connection.received().find(kEndOfHead)) == std::string::npos &&
         connection.received().size() <= kMaxHeadBytes) {
    if (!connection.Fill()) {
      return false;
    }
  }
  Head head;
  if (end > kMaxHeadBytes) {  // too long, or without an end
    head.request.framing = Framing::kMalformed;
    head.keep_alive = false;
  } else {
    head = ParseHead(connection.Take(end + kEndOfHead.size()));
  }
  if (head.request.framing == Framing::kOk && head.content_length > max_body_bytes_(head.request)) {
    head.request.framing = Framing::kTooLarge;
    head.keep_alive = false;
  }
  if (head.request.framing == Framing::kOk && head.content_length > 0) {
    const auto length = static_cast<std::size_t>(head.content_length);  // not above the limit
    if ((head.expects_continue && !connection.Write("HTTP/1.1 100 Continue\r\n\r\n")) || !connection.FillTo(length)) {
      return false;
    }
    head.request.body = connection.Take(length);
  }
  return Send(connection, handler_(head.request), head.keep_alive);
}

bool Server::Send(Connection& connection, const Reply& reply, bool keep_alive) {
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

void Server::ShutdownConnections(int how) {
  const std::lock_guard lock(mutex_);
  for (const int fd : open_) {
    shutdown(fd, how);
  }
}

void Server::Drain() {
  listener_.Close();
  admin_listener_.Close();
  // With a handler, idle connections end at once, and running requests still send their reply.
  ShutdownConnections(handler_ ? SHUT_RD : SHUT_RDWR);
  std::unique_lock lock(mutex_);
  changed_.notify_all();
  changed_.wait(lock, [&] { return running_ == 0; });
}

}  // namespace packhorse::http
