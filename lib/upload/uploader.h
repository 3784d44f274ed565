#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace packhorse::upload {

// Sends requests and brings back responses; decides nothing. All methods on the loop thread, except Wake().

struct Endpoint {
  std::string base_url;  // https://host[:port][/path], no trailing slash
  std::string ca;        // PEM file, empty: system store
  std::string certificate;
  std::string key;
  std::vector<std::string> pins;  // "sha256//<base64>"
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds timeout{30'000};         // whole transfer
  std::uint64_t max_response_bytes = 1ULL << 20U;    // the rest is cut and `truncated` is set
};

struct Request {
  std::string method = "POST";
  std::string path;  // appended to base_url
  std::vector<std::pair<std::string, std::string>> headers;
  std::string_view body;  // must stay alive until the callback
};

// How far an attempt came when no complete response arrived.
enum class Transport : std::uint8_t {
  kOk,              // a complete response
  kResolve,         // DNS
  kConnect,         // refused, unreachable, connect timeout
  kTls,             // handshake, certificate, pin
  kSendFailed,      // failed while the request was being sent
  kTimeout,         // after (part of) the request was sent: outcome unknown
  kReset,           // connection lost after the request was sent: outcome unknown
  kProtocol,        // a reply that is not HTTP, or was cut short: outcome unknown
  kLocal,           // our own fault: bad URL, missing CA file, out of memory
};
std::string_view Name(Transport transport);
// Whether the other side may have acted on the request.
bool OutcomeUnknown(Transport transport);

struct Response {
  Transport transport = Transport::kOk;
  std::string error;  // for people, set when transport is not kOk; never contains a secret
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case; bounded: 100 headers, 64 KiB
  std::string body;  // decoded, bounded
  bool truncated = false;
  std::chrono::microseconds elapsed{};
  std::string http_version;  // "1.1", "2"
  std::uint64_t bytes_sent = 0;

  // First header of this lower-case name, or empty.
  std::string_view Header(std::string_view name) const;
};

class Uploader {
 public:
  virtual ~Uploader() = default;
  // Starts a request; `done` runs within a later Poll(). Endpoints share connections by host.
  virtual void Send(const Endpoint& endpoint, Request request, std::function<void(Response)> done) = 0;
  // Waits until something happens, `deadline` comes, one of `fds` is readable or Wake() is called; runs callbacks.
  // Bit i of the result is set when fds[i] is readable (at most 32).
  virtual Result<std::uint32_t> Poll(const std::vector<int>& fds, MonoTime deadline) = 0;
  virtual std::size_t in_flight() const = 0;
  // Any thread, async-signal-safe enough for a library callback: ends the present or the next Poll().
  virtual void Wake() = 0;
  // Ends all transfers without callbacks.
  virtual void Abort() = 0;
};

// kUnavailable when libcurl lacks what we need (TLS, threads).
Result<std::unique_ptr<Uploader>> MakeUploader(std::string user_agent);

// gzip (RFC 1952) with a zero modification time, so that equal bytes stay equal.
Result<std::string> Gzip(std::string_view bytes);

}  // namespace packhorse::upload
