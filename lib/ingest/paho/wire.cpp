#include "ingest/paho/wire.h"

#include <netdb.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/encode.h"
#include "base/file.h"
#include "base/url.h"

namespace packhorse::ingest {
namespace {

using Steady = std::chrono::steady_clock;
using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;
using Context = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;
using Session = std::unique_ptr<SSL, decltype(&SSL_free)>;

Error Unavailable(std::string message) { return Error{ErrorCode::kUnavailable, std::move(message)}; }

Result<Addresses> LookUp(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int code = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (code != 0) {
    return Unavailable("cannot resolve host \"" + host + "\": " + gai_strerror(code));
  }
  return Addresses(found, &freeaddrinfo);
}

// "192.0.2.1", "2001:db8::1".
std::string Numeric(const addrinfo& address) {
  std::array<char, NI_MAXHOST> text{};
  const int code =
      getnameinfo(address.ai_addr, address.ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST);
  return code == 0 ? std::string(text.data()) : std::string();
}

// IPv4 first, as the library does it.
std::vector<const addrinfo*> InOrder(const addrinfo* first) {
  std::vector<const addrinfo*> all;
  for (const addrinfo* address = first; address != nullptr; address = address->ai_next) {
    all.push_back(address);
  }
  std::stable_partition(all.begin(), all.end(), [](const addrinfo* each) { return each->ai_family == AF_INET; });
  return all;
}

// Waits for `events`; false at the deadline.
bool Await(int fd, short events, Steady::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Steady::now()).count();
    pollfd item{fd, events, 0};
    const int ready = poll(&item, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000)));
    if (ready > 0) {
      return true;
    }
    if (ready == 0 || errno != EINTR) {
      return false;
    }
  }
}

Result<Fd> Dial(const Endpoint& endpoint, const addrinfo& address, Steady::time_point deadline) {
  const auto fail = [&](int number) {
    return Unavailable(ErrnoError("cannot connect to " + endpoint.Authority(), number).message);
  };
  Fd fd(socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!fd.valid()) {
    return fail(errno);
  }
  if (connect(fd.get(), address.ai_addr, address.ai_addrlen) != 0 && errno != EINPROGRESS) {
    return fail(errno);
  }
  if (!Await(fd.get(), POLLOUT, deadline)) {
    return fail(ETIMEDOUT);
  }
  int number = 0;
  socklen_t size = sizeof number;
  if (getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &number, &size) != 0) {
    number = errno;
  }
  if (number != 0) {
    return fail(number);
  }
  return fd;
}

// The oldest OpenSSL error of this thread, the rest is dropped.
std::string SslErrorText() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) {
    return "the connection was closed";
  }
  if (ERR_GET_LIB(code) == ERR_LIB_SYS) {  // the number of a failed system call, for which OpenSSL has no text
    return std::generic_category().message(ERR_GET_REASON(code));
  }
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? std::string(reason) : "OpenSSL error " + std::to_string(code);
}

Result<Context> MakeContext(const TlsSettings& tls) {
  Context context(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
  if (!context) {
    return Error{ErrorCode::kInternal, "TLS: " + SslErrorText()};
  }
  const auto fail = [](std::string_view what, const std::string& path) {
    return Error{ErrorCode::kInvalidArgument,
                 "TLS: cannot use " + std::string(what) + " " + path + ": " + SslErrorText()};
  };
  if (tls.ca.empty()) {
    SSL_CTX_set_default_verify_paths(context.get());
  } else if (SSL_CTX_load_verify_locations(context.get(), tls.ca.c_str(), nullptr) != 1) {
    return fail("the CA file", tls.ca);
  }
  if (!tls.certificate.empty()) {
    const std::string& key = tls.key.empty() ? tls.certificate : tls.key;
    if (SSL_CTX_use_certificate_chain_file(context.get(), tls.certificate.c_str()) != 1) {
      return fail("the certificate", tls.certificate);
    }
    if (SSL_CTX_use_PrivateKey_file(context.get(), key.c_str(), SSL_FILETYPE_PEM) != 1) {
      return fail("the key", key);
    }
  }
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  return context;
}

// The pin of the key that the other side showed, as SourceOptions::pins write it. Empty when there is none.
std::string PinOf(const SSL* session) {
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(SSL_get1_peer_certificate(session), &X509_free);
  unsigned char* der = nullptr;
  const int size = certificate ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate.get()), &der) : 0;
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
  unsigned hash_size = 0;
  const bool hashed =
      size > 0 && EVP_Digest(der, static_cast<std::size_t>(size), hash.data(), &hash_size, EVP_sha256(), nullptr) == 1;
  OPENSSL_free(der);
  if (!hashed) {
    return {};
  }
  return "sha256//" + Base64(std::string_view(reinterpret_cast<const char*>(hash.data()), hash_size));
}

Status CheckPins(const SSL* session, const Endpoint& endpoint, const std::vector<std::string>& pins) {
  if (pins.empty()) {
    return {};
  }
  const std::string shown = PinOf(session);
  if (std::find(pins.begin(), pins.end(), shown) != pins.end()) {
    return {};
  }
  return Error{ErrorCode::kPermissionDenied, "TLS: the public key of " + endpoint.Authority() +
                                                 " is not one of those in tls.pin" +
                                                 (shown.empty() ? std::string() : "; it shows " + shown)};
}

}  // namespace

class Wire::Impl {
 public:
  Impl(Fd fd, Steady::time_point deadline) : fd_(std::move(fd)), deadline_(deadline) {}

  Status Handshake(const Endpoint& endpoint, const TlsSettings& tls) {
    Result<Context> context = MakeContext(tls);
    RETURN_IF_ERROR(context);
    context_ = std::move(*context);
    session_.reset(SSL_new(context_.get()));
    if (!session_ || SSL_set_fd(session_.get(), fd_.get()) != 1) {
      return Error{ErrorCode::kInternal, "TLS: " + SslErrorText()};
    }
    if (IsAddress(endpoint.host)) {
      X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session_.get()), endpoint.host.c_str());
    } else {
      SSL_set1_host(session_.get(), endpoint.host.c_str());
      SSL_ctrl(session_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
               const_cast<char*>(endpoint.host.c_str()));  // the macro of this name casts in the old style
    }
    const int done = Drive([this] { return SSL_connect(session_.get()); });
    if (done == 1) {
      return CheckPins(session_.get(), endpoint, tls.pins);
    }
    if (const long verdict = SSL_get_verify_result(session_.get()); verdict != X509_V_OK) {
      ERR_clear_error();
      return Unavailable("TLS: the certificate of " + endpoint.Authority() +
                         " is not accepted: " + X509_verify_cert_error_string(verdict));
    }
    return Unavailable("TLS handshake with " + endpoint.Authority() + " failed: " + Why());
  }

  // An empty buffer takes it whole. That the peer is gone shows when it is read from.
  void Write(const unsigned char* bytes, std::size_t size) {
    if (session_) {
      Drive([&] { return SSL_write(session_.get(), bytes, static_cast<int>(size)); });
    } else {
      static_cast<void>(send(fd_.get(), bytes, size, MSG_NOSIGNAL));
    }
  }

  // Bytes read; 0 when the peer closed; negative on error or at the deadline.
  int Read(unsigned char* bytes, std::size_t size) {
    if (session_) {
      return Drive([&] { return SSL_read(session_.get(), bytes, static_cast<int>(size)); });
    }
    timed_out_ = !Await(fd_.get(), POLLIN, deadline_);
    return timed_out_ ? -1 : static_cast<int>(recv(fd_.get(), bytes, size, 0));
  }

  void Until(Steady::time_point deadline) { deadline_ = deadline; }
  bool timed_out() const { return timed_out_; }
  bool tls_alert() const { return ERR_peek_error() != 0; }
  std::string Why() const { return timed_out_ ? "no answer in time" : SslErrorText(); }

 private:
  template <typename Operation>
  int Drive(const Operation& operation) {
    for (;;) {
      ERR_clear_error();
      const int result = operation();
      const int error = result > 0 ? SSL_ERROR_NONE : SSL_get_error(session_.get(), result);
      if (error == SSL_ERROR_ZERO_RETURN) {
        return 0;
      }
      if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
        return result > 0 ? result : -1;
      }
      if (!Await(fd_.get(), error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, deadline_)) {
        timed_out_ = true;
        return -1;
      }
    }
  }

  Fd fd_;
  Steady::time_point deadline_;
  Context context_{nullptr, &SSL_CTX_free};
  Session session_{nullptr, &SSL_free};
  bool timed_out_ = false;
};

Wire::Wire(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Wire::Wire(Wire&&) noexcept = default;
Wire& Wire::operator=(Wire&&) noexcept = default;
Wire::~Wire() = default;

Result<Wire> Wire::Open(const Endpoint& endpoint, const std::string& address, const TlsSettings& tls,
                        Steady::time_point deadline) {
  const Result<Addresses> found = LookUp(address, endpoint.port);
  RETURN_IF_ERROR(found);
  Result<Fd> fd = Dial(endpoint, **found, deadline);
  RETURN_IF_ERROR(fd);
  auto impl = std::make_unique<Impl>(std::move(*fd), deadline);
  if (endpoint.tls) {
    RETURN_IF_ERROR(impl->Handshake(endpoint, tls));
  }
  return Wire(std::move(impl));
}

void Wire::Write(const unsigned char* bytes, std::size_t size) { impl_->Write(bytes, size); }
int Wire::Read(unsigned char* bytes, std::size_t size) { return impl_->Read(bytes, size); }
void Wire::Until(Steady::time_point deadline) { impl_->Until(deadline); }
bool Wire::timed_out() const { return impl_->timed_out(); }
bool Wire::tls_alert() const { return impl_->tls_alert(); }
std::string Wire::Why() const { return impl_->Why(); }

Result<std::vector<std::string>> Resolve(const Endpoint& endpoint) {
  const Result<Addresses> addresses = LookUp(endpoint.host, endpoint.port);
  RETURN_IF_ERROR(addresses);
  std::vector<std::string> numeric;
  for (const addrinfo* address : InOrder(addresses->get())) {
    numeric.push_back(Numeric(*address));
  }
  return numeric;
}

}  // namespace packhorse::ingest
