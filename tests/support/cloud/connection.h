#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/file.h"
#include "base/result.h"

struct ssl_ctx_st;
struct ssl_st;

namespace packhorse::cloud {

// Certificate chain and key of the server (PEM), TLS 1.2 or newer. Immutable; any thread.
class TlsContext {
 public:
  static Result<std::shared_ptr<TlsContext>> Load(const std::string& certificate, const std::string& key);
  explicit TlsContext(ssl_ctx_st* context) : context_(context) {}
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;
  ssl_ctx_st* get() const { return context_; }

 private:
  ssl_ctx_st* context_;
};

// One accepted connection, plain or TLS, blocking, with time-outs on both directions. One thread.
class Connection {
 public:
  explicit Connection(Fd fd);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Runs the TLS handshake; false when it fails.
  bool StartTls(const TlsContext& context);
  // Bytes read, 0 at the end of the stream, on an error or after the idle time-out.
  std::size_t Read(char* into, std::size_t capacity);
  // False when the peer is gone.
  bool Write(std::string_view bytes);
  // Closes so that the peer sees a reset instead of an orderly end.
  void Reset();
  // Ends the sending direction and reads what the peer still sends, so that it gets the whole reply to a request whose
  // body was not read (RFC 9112 section 9.6). Bounded.
  void CloseGently();
  int fd() const { return fd_.get(); }

 private:
  Fd fd_;
  ssl_st* ssl_ = nullptr;
};

}  // namespace packhorse::cloud
