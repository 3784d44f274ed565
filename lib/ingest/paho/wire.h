#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "ingest/paho/endpoint.h"

namespace packhorse::ingest {

struct TlsSettings {
  std::string ca;  // PEM files; empty: the system's store
  std::string certificate;
  std::string key;
  std::vector<std::string> pins;  // SourceOptions::pins
};

// The host's addresses, those of IPv4 first. Blocks as long as the system's resolver does.
Result<std::vector<std::string>> Resolve(const Endpoint& endpoint);

// A connection to a broker beside the library's, plain or TLS. Nothing waits beyond its deadline. One thread. REQUIRES:
// SIGPIPE is ignored.
class Wire {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // To this address of the endpoint's host; with TLS all of its certificate, name and pins is checked. The error says
  // what failed and why.
  static Result<Wire> Open(const Endpoint& endpoint, const std::string& address, const TlsSettings& tls, Time deadline);
  Wire(Wire&&) noexcept;
  Wire& operator=(Wire&&) noexcept;
  ~Wire();

  // For packets of a few bytes: an empty buffer takes them whole. That the peer is gone shows when it is read from.
  void Write(const unsigned char* bytes, std::size_t size);
  // Bytes read; 0 when the peer closed; negative on error or at the deadline.
  int Read(unsigned char* bytes, std::size_t size);
  void Until(Time deadline);

  bool timed_out() const;
  bool tls_alert() const;   // the peer, or TLS itself, ended the connection
  std::string Why() const;  // after a Read() that brought nothing

 private:
  class Impl;
  explicit Wire(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace packhorse::ingest
