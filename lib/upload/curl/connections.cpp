#include "upload/curl/connections.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/file.h"

namespace packhorse::upload {
namespace {

using std::chrono::seconds;

constexpr std::size_t kMaxOrigins = 256;
// A connection that was idle for less is lost for other reasons.
constexpr seconds kWorthNoticing{1};
constexpr int kKeepAliveProbes = 3;
// Whoever asked to wait so often in a row may be on its way out, while others serve.
constexpr int kMostBusyInARow = 3;

struct Address {
  std::string ip;
  int port = 0;
  bool operator==(const Address&) const = default;
};

Address Read(const sockaddr_storage& storage) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (storage.ss_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &storage, sizeof in);
    inet_ntop(AF_INET, &in.sin_addr, text.data(), text.size());
    return {text.data(), ntohs(in.sin_port)};
  }
  if (storage.ss_family == AF_INET6) {
    sockaddr_in6 in{};
    std::memcpy(&in, &storage, sizeof in);
    inet_ntop(AF_INET6, &in.sin6_addr, text.data(), text.size());
    return {text.data(), ntohs(in.sin6_port)};
  }
  return {};
}

// getsockname() or getpeername(); empty when the socket is not connected.
template <typename Name>
Address Ask(Name name, int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  return name(fd, reinterpret_cast<sockaddr*>(&storage), &size) == 0 ? Read(storage) : Address{};
}

// A descriptor of which every read finds the end of the stream. Invalid when there is no descriptor left.
Fd DeadEnd() {
  std::array<int, 2> ends{-1, -1};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0) {
    return {};
  }
  close(ends[1]);
  return Fd(ends[0]);
}

// Ends a connection under libcurl, which keeps the descriptor, finds the end when it looks at it next, and closes it.
// shutdown() alone would leave what the other side says in parting, which libcurl takes for a sign of life. A TLS
// session does not survive this, unlike an end by libcurl itself.
void EndConnection(int fd) {
  if (const Fd dead = DeadEnd(); !dead.valid() || dup3(dead.get(), fd, O_CLOEXEC) < 0) {
    shutdown(fd, SHUT_RDWR);
  }
}

}  // namespace

int Connections::OnOpen(void* self, int /*purpose*/, curl_sockaddr* address) {
  auto& connections = *static_cast<Connections*>(self);
  const int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  if (fd >= 0) {
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &kKeepAliveProbes, sizeof kKeepAliveProbes);
    Connection connection;
    connection.number = ++connections.last_number_;
    connections.open_[fd] = std::move(connection);
  }
  return fd;
}

int Connections::OnClose(void* self, int fd) {
  static_cast<Connections*>(self)->open_.erase(fd);
  return close(fd);
}

Connections::Connection* Connections::Find(std::uint64_t number) {
  for (auto& [fd, connection] : open_) {
    if (connection.number == number) {
      return &connection;
    }
  }
  return nullptr;
}

Connections::Connection* Connections::Find(const Ends& ends) {
  const Address local{ends.local_ip, ends.local_port};
  const Address remote{ends.remote_ip, ends.remote_port};
  for (auto& [fd, connection] : open_) {
    const bool known = !connection.origin.empty();
    if (known ? connection.ends == ends : Ask(getsockname, fd) == local && Ask(getpeername, fd) == remote) {
      return &connection;
    }
  }
  return nullptr;
}

Connections::Origin& Connections::OriginOf(const std::string& name) {
  if (origins_.size() >= kMaxOrigins && !origins_.contains(name)) {
    for (auto it = origins_.begin(); it != origins_.end();) {
      const bool used =
          std::any_of(open_.begin(), open_.end(), [&](const auto& entry) { return entry.second.origin == it->first; });
      it = used ? std::next(it) : origins_.erase(it);
    }
  }
  return origins_[name];
}

bool Connections::Retired(const Connection& connection) const {
  const auto origin = origins_.find(connection.origin);
  return origin != origins_.end() && connection.generation < origin->second.generation;
}

void Connections::End(int fd, Connection& connection) {
  if (!connection.ended) {
    EndConnection(fd);
    connection.ended = true;
  }
}

void Connections::EndRetired(const std::string& origin) {
  const bool newer = std::any_of(open_.begin(), open_.end(), [&](const auto& entry) {
    return entry.second.origin == origin && !Retired(entry.second);
  });
  for (auto& [fd, connection] : open_) {
    if (newer && connection.origin == origin && connection.users == 0 && Retired(connection)) {
      End(fd, connection);
    }
  }
}

Connections::Use Connections::Begin(const std::string& origin) { return Use{0, OriginOf(origin).generation, {}}; }

std::chrono::seconds Connections::IdleLimit(const std::string& origin) const {
  const auto found = origins_.find(origin);
  return found == origins_.end() ? kLongestIdle : found->second.idle_limit;
}

bool Connections::Distrusted(const std::string& origin) const {
  const auto found = origins_.find(origin);
  return found != origins_.end() && found->second.distrusted;
}

bool Connections::Take(const std::string& origin, const Ends& ends, MonoTime now, Use& use) {
  Connection* const connection = Find(ends);
  if (connection == nullptr) {
    return true;  // closed by the other side just now: the request finds that out by itself
  }
  const bool first = connection->origin.empty();
  if (first) {
    connection->origin = origin;
    connection->ends = ends;
    connection->generation = OriginOf(origin).generation;
  } else if (connection->ended || Retired(*connection)) {
    return false;
  }
  use.number = connection->number;
  use.generation = connection->generation;
  if (!first && connection->users == 0) {
    use.was_idle = std::chrono::duration_cast<seconds>(now - connection->idle_since);
  }
  ++connection->users;
  EndRetired(origin);
  return true;
}

void Connections::Release(const std::string& origin, const Use& use, Outcome outcome, MonoTime now) {
  if (Connection* const connection = Find(use.number); connection != nullptr) {
    --connection->users;
    connection->idle_since = now;
  }
  Origin& known = OriginOf(origin);
  if (outcome == Outcome::kLost && use.was_idle >= kWorthNoticing) {
    known.idle_limit = std::min(known.idle_limit, use.was_idle / 2);
  }
  known.busy_in_a_row = outcome == Outcome::kBusy ? known.busy_in_a_row + 1 : 0;
  if (outcome == Outcome::kBusy) {
    outcome = known.busy_in_a_row % kMostBusyInARow == 0 ? Outcome::kFailed : Outcome::kGood;
  }
  const bool tells = outcome != Outcome::kGood || use.number != 0;
  if (tells && use.generation == known.generation) {
    known.distrusted = outcome != Outcome::kGood;
    known.generation += outcome != Outcome::kGood ? 1 : 0;
  }
  EndRetired(origin);
}

void Connections::RetireAll() {
  for (auto& [name, origin] : origins_) {
    ++origin.generation;
  }
}

bool Connections::Draining() const {
  return std::any_of(open_.begin(), open_.end(),
                     [&](const auto& entry) { return entry.second.users > 0 && Retired(entry.second); });
}

}  // namespace packhorse::upload
