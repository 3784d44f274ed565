#include "support/http/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <utility>

namespace packhorse::http {
namespace {

constexpr timeval kIdleTimeout{60, 0};
constexpr std::size_t kReadBytes = std::size_t{64} * 1024;
constexpr std::size_t kMaxTlsWrite = std::size_t{1} << 20U;

std::string OpenSslError() {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  return text.data();
}

}  // namespace

Result<std::shared_ptr<TlsContext>> TlsContext::Load(const std::string& certificate, const std::string& key) {
  auto context = std::make_shared<TlsContext>(SSL_CTX_new(TLS_server_method()));
  if (context->get() == nullptr || SSL_CTX_set_min_proto_version(context->get(), TLS1_2_VERSION) != 1) {
    return Error{ErrorCode::kInternal, "TLS cannot be set up: " + OpenSslError()};
  }
  if (SSL_CTX_use_certificate_chain_file(context->get(), certificate.c_str()) != 1) {
    return Error{ErrorCode::kInvalidArgument, "certificate " + certificate + ": " + OpenSslError()};
  }
  if (SSL_CTX_use_PrivateKey_file(context->get(), key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context->get()) != 1) {
    return Error{ErrorCode::kInvalidArgument, "key " + key + ": " + OpenSslError()};
  }
  return context;
}

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

Connection::Connection(Fd fd) : fd_(std::move(fd)) {
  const int on = 1;
  setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &kIdleTimeout, sizeof kIdleTimeout);
  setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &kIdleTimeout, sizeof kIdleTimeout);
}

Connection::~Connection() { SSL_free(ssl_); }

bool Connection::StartTls(const TlsContext& context) {
  ssl_ = SSL_new(context.get());
  if (ssl_ == nullptr || SSL_set_fd(ssl_, fd_.get()) != 1 || SSL_accept(ssl_) != 1) {
    ERR_clear_error();
    return false;
  }
  return true;
}

bool Connection::Fill() {
  const std::size_t before = received_.size();
  received_.resize(before + kReadBytes);
  std::size_t got = 0;
  if (ssl_ == nullptr) {
    const ssize_t n = recv(fd_.get(), received_.data() + before, kReadBytes, 0);
    got = n > 0 ? static_cast<std::size_t>(n) : 0;
  } else if (SSL_read_ex(ssl_, received_.data() + before, kReadBytes, &got) != 1) {
    ERR_clear_error();
    got = 0;
  }
  received_.resize(before + got);
  return got > 0;
}

bool Connection::FillTo(std::size_t bytes) {
  while (received_.size() < bytes) {
    if (!Fill()) {
      return false;
    }
  }
  return true;
}

std::string Connection::Take(std::size_t bytes) {
  std::string rest = received_.substr(bytes);
  received_.resize(bytes);
  return std::exchange(received_, std::move(rest));
}

bool Connection::Write(std::string_view bytes) {
  while (!bytes.empty()) {
    std::size_t sent = 0;
    if (ssl_ != nullptr) {
      if (SSL_write_ex(ssl_, bytes.data(), std::min(bytes.size(), kMaxTlsWrite), &sent) != 1) {
        ERR_clear_error();
        return false;
      }
    } else {
      const ssize_t n = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) {
        return false;
      }
      sent = static_cast<std::size_t>(n);
    }
    bytes.remove_prefix(sent);
  }
  return true;
}

void Connection::Reset() {
  const linger immediately{1, 0};  // an RST instead of a FIN on close
  setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &immediately, sizeof immediately);
}

void Connection::CloseGently() {
  constexpr timeval kShort{1, 0};
  setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &kShort, sizeof kShort);
  if (ssl_ != nullptr) {
    SSL_shutdown(ssl_);
    ERR_clear_error();
  }
  shutdown(fd_.get(), SHUT_WR);
  std::array<char, 65536> rest{};
  constexpr std::size_t kMaxRest = std::size_t{64} << 20U;
  std::size_t read = 0;
  while (read < kMaxRest) {
    const ssize_t n = recv(fd_.get(), rest.data(), rest.size(), 0);
    if (n <= 0) {
      return;
    }
    read += static_cast<std::size_t>(n);
  }
}

}  // namespace packhorse::http
