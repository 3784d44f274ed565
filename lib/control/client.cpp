#include "control/client.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

#include "control/protocol.h"
#include "control/socket.h"

namespace packhorse::control {
namespace {

// Longer than any answer takes that does not follow later; a daemon that hangs must not hang its operator.
constexpr std::chrono::seconds kAnswerTimeout{60};

Error Unreachable(const std::string& path, const Error& error) {
  const std::string start = "cannot reach packhorsed at " + path + ": ";
  switch (error.code) {
    case ErrorCode::kNotFound:
      return {ErrorCode::kUnavailable, start + "no such file; is it running? (systemctl status packhorsed)"};
    case ErrorCode::kUnavailable:
      return {ErrorCode::kUnavailable,
              start + "nobody listens there; it has ended without cleaning up (systemctl status packhorsed)"};
    case ErrorCode::kBusy:
      return {ErrorCode::kBusy,
              start + "it does not take further connections; it is overloaded or hangs (journalctl -u packhorsed)"};
    case ErrorCode::kPermissionDenied:
      return {ErrorCode::kPermissionDenied, start +
                                                "permission denied; only root and members of the group packhorse may "
                                                "(sudo usermod -aG packhorse USER, then log in again)"};
    default:
      return {error.code, start + error.message};
  }
}

class UnixClient final : public Client {
 public:
  UnixClient(Fd fd, std::chrono::milliseconds timeout) : fd_(std::move(fd)), timeout_(timeout) {}

  Result<std::string> Ask(const std::string& command, const std::string& args_json) override;
  Result<std::string> Next() override;

 private:
  // Whether all was sent. A daemon that refuses may hang up first; its reason is then waiting to be read.
  Status Send(std::string_view bytes);
  Result<std::string> ReadReply();

  Fd fd_;
  std::chrono::milliseconds timeout_;
  std::string buffer_;
};

Status UnixClient::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return Error{ErrorCode::kTimeout, "packhorsed does not read what it is asked; it hangs or is overloaded"};
    } else if (errno != EINTR) {
      return ErrnoError("ask packhorsed", errno);
    }
  }
  return {};
}

Result<std::string> UnixClient::ReadReply() {
  std::array<char, 65536> chunk{};
  std::size_t searched = 0;
  while (true) {
    if (const std::size_t end = buffer_.find('\n', searched); end != std::string::npos) {
      const Result<std::string> reply = ParseReply(std::string_view(buffer_).substr(0, end));
      buffer_.erase(0, end + 1);
      return reply;
    }
    searched = buffer_.size();
    if (searched > kUnsentBytes) {
      return Error{ErrorCode::kLimitExceeded, "packhorsed gave an answer of more than 16 MiB"};
    }
    const ssize_t n = recv(fd_.get(), chunk.data(), chunk.size(), 0);
    if (n > 0) {
      buffer_.append(chunk.data(), static_cast<std::size_t>(n));
    } else if (n == 0) {
      return Error{ErrorCode::kUnavailable, "packhorsed ended the connection; was it stopped?"};
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return Error{ErrorCode::kTimeout, "packhorsed has not answered within " +
                                            std::to_string(std::chrono::ceil<std::chrono::seconds>(timeout_).count()) +
                                            " s; it hangs or is overloaded (journalctl -u packhorsed)"};
    } else if (errno == ECONNRESET || errno == EPIPE) {
      return Error{ErrorCode::kUnavailable, "packhorsed ended the connection; was it stopped?"};
    } else if (errno != EINTR) {
      return ErrnoError("read the answer of packhorsed", errno);
    }
  }
}

Result<std::string> UnixClient::Ask(const std::string& command, const std::string& args_json) {
  const std::string line = FormatRequest(command, args_json);
  if (line.size() > kRequestBytes) {
    return Error{ErrorCode::kLimitExceeded, "the request has more than 64 KiB; ask for less at a time"};
  }
  RETURN_IF_ERROR(SetReadTimeout(fd_.get(), timeout_));
  const Status sent = Send(line + "\n");
  if (!sent && sent.error().code == ErrorCode::kTimeout) {
    return sent.error();
  }
  return ReadReply();
}

Result<std::string> UnixClient::Next() {
  RETURN_IF_ERROR(SetReadTimeout(fd_.get(), std::chrono::milliseconds(0)));
  return ReadReply();
}

}  // namespace

Result<std::unique_ptr<Client>> ConnectWithin(const std::string& path, std::chrono::milliseconds timeout) {
  Result<Fd> fd = ConnectTo(path, timeout);
  if (!fd) {
    return Unreachable(path, fd.error());
  }
  return std::unique_ptr<Client>(std::make_unique<UnixClient>(std::move(fd).value(), timeout));
}

Result<std::unique_ptr<Client>> Connect(const std::string& path) { return ConnectWithin(path, kAnswerTimeout); }

}  // namespace packhorse::control
