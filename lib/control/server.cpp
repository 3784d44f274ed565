#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/clock.h"
#include "base/file.h"
#include "control/control.h"
#include "control/wire.h"

namespace packhorse::control {
namespace {

constexpr std::size_t kMaxConnections = 16;
constexpr std::size_t kMaxUnsentBytes = 16ULL << 20U;
constexpr std::chrono::seconds kIdle{30};
constexpr const char* kGroup = "packhorse";

struct Connection {
  Fd fd;
  bool may_change = false;
  std::string input;
  std::string output;
  bool follows = false;  // a following command: no idle limit
  bool waiting = false;  // its answer follows later
  bool closing = false;  // close once the output is written
  MonoTime last_active{};
};

bool PeerMayChange(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == 0 || peer.uid == geteuid());
}

class ServerImpl final : public Server {
 public:
  ServerImpl(Fd listener, std::string path, std::function<Answer(const Call&)> handler)
      : listener_(std::move(listener)), path_(std::move(path)), handler_(std::move(handler)) {}
  ~ServerImpl() override { unlink(path_.c_str()); }

  std::vector<int> Fds() const override {
    std::vector<int> fds = {listener_.get()};
    for (const auto& [id, connection] : connections_) {
      fds.push_back(connection.fd.get());
    }
    return fds;
  }

  void Serve() override {
    const MonoTime now = SystemClock().Mono();
    Accept(now);
    for (auto it = connections_.begin(); it != connections_.end();) {
      const bool alive = ServeOne(it->first, it->second, now);
      it = alive ? std::next(it) : connections_.erase(it);
    }
  }

  bool Push(std::uint64_t id, const std::string& result_json) override {
    const auto found = connections_.find(id);
    if (found == connections_.end()) {
      return false;
    }
    found->second.follows = true;
    return Queue(found->second, ResultLine(result_json, true));
  }

  void AnswerLater(std::uint64_t id, const Answer& answer) override {
    const auto found = connections_.find(id);
    if (found == connections_.end()) {
      return;
    }
    found->second.waiting = false;
    Queue(found->second, answer ? ResultLine(*answer, false) : ErrorLine(answer.error()));
  }

 private:
  void Accept(MonoTime now) {
    while (true) {
      Fd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!fd.valid()) {
        return;
      }
      if (connections_.size() >= kMaxConnections) {
        const std::string line = ErrorLine(Error{ErrorCode::kLimitExceeded, "too many control connections at once"});
        // Best effort: the socket's buffer takes a line; if not, the peer sees the connection end.
        static_cast<void>(send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL));
        continue;
      }
      Connection connection;
      connection.may_change = PeerMayChange(fd.get());
      connection.fd = std::move(fd);
      connection.last_active = now;
      connections_.emplace(next_id_++, std::move(connection));
    }
  }

  // False when the connection is over.
  bool ServeOne(std::uint64_t id, Connection& connection, MonoTime now) {
    if (!Read(connection, now)) {
      return false;
    }
    while (!connection.waiting && !connection.closing) {
      const std::size_t end = connection.input.find('\n');
      if (end == std::string::npos) {
        break;
      }
      const std::string line = connection.input.substr(0, end);
      connection.input.erase(0, end + 1);
      HandleLine(id, connection, line);
    }
    if (connection.input.size() > kMaxRequestBytes && !connection.closing) {
      Queue(connection, ErrorLine(Error{ErrorCode::kLimitExceeded, "a request may have at most 65536 bytes"}));
      connection.closing = true;
    }
    if (!Write(connection)) {
      return false;
    }
    const bool quiet = !connection.follows && !connection.waiting && connection.output.empty();
    return !(connection.closing && connection.output.empty()) && !(quiet && now - connection.last_active > kIdle);
  }

  static bool Read(Connection& connection, MonoTime now) {
    std::array<char, 16384> chunk{};
    while (connection.input.size() <= kMaxRequestBytes) {
      const ssize_t n = recv(connection.fd.get(), chunk.data(), chunk.size(), 0);
      if (n > 0) {
        connection.input.append(chunk.data(), static_cast<std::size_t>(n));
        connection.last_active = now;
        continue;
      }
      if (n == 0) {
        return false;
      }
      if (errno == EINTR) {
        continue;
      }
      return errno == EAGAIN || errno == EWOULDBLOCK;
    }
    return true;
  }

  static bool Write(Connection& connection) {
    while (!connection.output.empty()) {
      const ssize_t n = send(connection.fd.get(), connection.output.data(), connection.output.size(), MSG_NOSIGNAL);
      if (n > 0) {
        connection.output.erase(0, static_cast<std::size_t>(n));
        continue;
      }
      if (n < 0 && errno == EINTR) {
        continue;
      }
      return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    }
    return true;
  }

  // False when the peer reads too slowly: it is dropped, the daemon's memory is not spent on it.
  static bool Queue(Connection& connection, const std::string& line) {
    if (connection.output.size() + line.size() > kMaxUnsentBytes) {
      connection.output.clear();
      connection.closing = true;
      return false;
    }
    connection.output += line;
    return Write(connection);
  }

  void HandleLine(std::uint64_t id, Connection& connection, const std::string& line) {
    Result<Call> call = ParseCall(line);
    if (!call) {
      Queue(connection, ErrorLine(call.error()));
      return;
    }
    call->may_change = connection.may_change;
    call->connection = id;
    const Answer answer = handler_(*call);
    if (!answer && answer.error().code == ErrorCode::kBusy && answer.error().message.empty()) {
      connection.waiting = true;
      return;
    }
    Queue(connection, answer ? ResultLine(*answer, false) : ErrorLine(answer.error()));
  }

  Fd listener_;
  const std::string path_;
  const std::function<Answer(const Call&)> handler_;
  std::map<std::uint64_t, Connection> connections_;
  std::uint64_t next_id_ = 1;
};

// A socket file without a listener is what a killed daemon leaves behind.
Status RemoveStale(const std::string& path, const sockaddr_un& address) {
  const Fd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    return Error{ErrorCode::kBusy, "another process answers at the control socket " + path};
  }
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) {
    return {};
  }
  if (!S_ISSOCK(info.st_mode)) {
    return Error{ErrorCode::kAlreadyExists, path + " exists and is not a socket"};
  }
  return unlink(path.c_str()) == 0 ? Status() : Status(ErrnoError("remove the stale socket " + path, errno));
}

}  // namespace

Result<std::unique_ptr<Server>> Listen(const std::string& path, std::function<Answer(const Call&)> handler) {
  const Result<sockaddr_un> address = SocketAddress(path);
  if (!address) {
    return address.error();
  }
  if (Status removed = RemoveStale(path, *address); !removed) {
    return removed.error();
  }
  Fd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!listener.valid()) {
    return ErrnoError("control socket", errno);
  }
  if (bind(listener.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0) {
    return ErrnoError("bind the control socket " + path, errno);
  }
  if (const group* members = getgrnam(kGroup); members != nullptr) {
    // Only root and members may give a file to the group; without it the service user's own group keeps access.
    static_cast<void>(chown(path.c_str(), static_cast<uid_t>(-1), members->gr_gid));
  }
  if (chmod(path.c_str(), 0660) != 0 || listen(listener.get(), static_cast<int>(kMaxConnections)) != 0) {
    return ErrnoError("listen on the control socket " + path, errno);
  }
  return std::unique_ptr<Server>(std::make_unique<ServerImpl>(std::move(listener), path, std::move(handler)));
}

}  // namespace packhorse::control
