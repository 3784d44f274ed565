#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/file.h"
#include "control/control.h"
#include "control/wire.h"

namespace packhorse::control {
namespace {

constexpr std::size_t kMaxAnswerBytes = 64ULL << 20U;
// A full check of the ledger may take a while; a daemon that says nothing for so long is not well.
constexpr int kAnswerTimeoutMs = 60'000;

Error CannotReach(const std::string& path, int number) {
  const std::string where = "cannot reach packhorsed at " + path + ": ";
  switch (number) {
    case ENOENT:
    case ENOTDIR:
      return Error{ErrorCode::kUnavailable, where + "no such socket; is it running? (systemctl status packhorsed)"};
    case ECONNREFUSED:
      return Error{ErrorCode::kUnavailable,
                   where + "nobody listens; the daemon has ended (systemctl status packhorsed, journalctl -u packhorsed)"};
    case EACCES:
    case EPERM:
      return Error{ErrorCode::kPermissionDenied,
                   where + "permission denied; be root or a member of group packhorse (usermod -aG packhorse USER)"};
    default: {
      const Error error = ErrnoError("connect", number);
      return Error{ErrorCode::kUnavailable, where + error.message};
    }
  }
}

class ClientImpl final : public Client {
 public:
  ClientImpl(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  Result<std::string> Ask(const std::string& command, const std::string& args_json) override {
    std::string_view rest;
    const std::string line = RequestLine(command, args_json);
    rest = line;
    while (!rest.empty()) {
      const ssize_t n = send(fd_.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
      if (n < 0) {
        if (errno == EINTR) {
          continue;
        }
        break;  // what the daemon said before it closed is the better message
      }
      rest.remove_prefix(static_cast<std::size_t>(n));
    }
    return ReadAnswer(kAnswerTimeoutMs);
  }

  Result<std::string> Next() override { return ReadAnswer(-1); }

 private:
  Result<std::string> ReadAnswer(int timeout_ms) {
    while (true) {
      const std::size_t end = input_.find('\n');
      if (end != std::string::npos) {
        const std::string line = input_.substr(0, end);
        input_.erase(0, end + 1);
        return ParseAnswer(line);
      }
      if (input_.size() > kMaxAnswerBytes) {
        return Error{ErrorCode::kLimitExceeded, "the daemon's answer is larger than 64 MiB"};
      }
      pollfd waiting{fd_.get(), POLLIN, 0};
      const int ready = poll(&waiting, 1, timeout_ms);
      if (ready == 0) {
        return Error{ErrorCode::kTimeout, "packhorsed does not answer at " + path_ + " (waited 60 s)"};
      }
      std::array<char, 65536> chunk{};
      const ssize_t n = ready < 0 ? -1 : recv(fd_.get(), chunk.data(), chunk.size(), 0);
      if (n < 0 && errno == EINTR) {
        continue;
      }
      if (n <= 0) {
        return Error{ErrorCode::kUnavailable, "packhorsed closed the connection at " + path_};
      }
      input_.append(chunk.data(), static_cast<std::size_t>(n));
    }
  }

  Fd fd_;
  const std::string path_;
  std::string input_;
};

}  // namespace

Result<std::unique_ptr<Client>> Connect(const std::string& path) {
  const Result<sockaddr_un> address = SocketAddress(path);
  if (!address) {
    return address.error();
  }
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) {
    return ErrnoError("control socket", errno);
  }
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0) {
    return CannotReach(path, errno);
  }
  return std::unique_ptr<Client>(std::make_unique<ClientImpl>(std::move(fd), path));
}

}  // namespace packhorse::control
