#include "upload/curl/connections.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>

namespace packhorse::upload {
namespace {

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

}  // namespace

int Connections::OnOpen(void* self, int /*purpose*/, curl_sockaddr* address) {
  auto& connections = *static_cast<Connections*>(self);
  const int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  if (fd >= 0) {
    connections.open_[fd] = Connection{++connections.last_number_};
  }
  return fd;
}

int Connections::OnClose(void* self, int fd) {
  static_cast<Connections*>(self)->open_.erase(fd);
  return close(fd);
}

std::uint64_t Connections::Find(const std::string& local_ip, int local_port, const std::string& remote_ip,
                                int remote_port) const {
  const Address local{local_ip, local_port};
  const Address remote{remote_ip, remote_port};
  for (const auto& [fd, connection] : open_) {
    if (Ask(getsockname, fd) == local && Ask(getpeername, fd) == remote) {
      return connection.number;
    }
  }
  return 0;
}

}  // namespace packhorse::upload
