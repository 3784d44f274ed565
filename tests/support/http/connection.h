#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/file.h"
#include "base/result.h"

struct ssl_ctx_st;
struct ssl_st;

namespace packhorse::http {

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
  // Waits for bytes and appends what comes to received(); false at the end of the stream, on an error or after the idle
  // time-out.
  bool Fill();
  // Fills until there are at least `bytes`; false when the stream ended before.
  bool FillTo(std::size_t bytes);
  // What has come and was not taken yet.
  const std::string& received() const { return received_; }
  // Removes the first `bytes` of received(), which has as many.
  std::string Take(std::size_t bytes);
  // False when the peer is gone.
  bool Write(std::string_view bytes);
  // The peer sees a reset instead of an orderly end once this object is gone.
  void Reset();
  // Ends the sending direction and reads what the peer still sends, so that it gets the whole reply to a request whose
  // body was not read (RFC 9112 section 9.6). Bounded.
  void CloseGently();
  int fd() const { return fd_.get(); }

 private:
  Fd fd_;
  ssl_st* ssl_ = nullptr;
  std::string received_;
};

}  // namespace packhorse::http
