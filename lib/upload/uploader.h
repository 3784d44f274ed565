#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace packhorse::upload {

// Sends requests and brings back responses; decides nothing. All methods on the loop thread, except Wake().

// A way out of a network: the connection is made by HTTP CONNECT (RFC 9110 section 9.3.6), also for http:// URLs.
struct Proxy {
  std::string url;  // http://host[:port] or https://host[:port], empty: none
  std::string ca;   // PEM file for an https:// one, empty: system store
  std::string username;
  std::string password;               // both by Basic authentication; empty user name: none
  std::vector<std::string> no_proxy;  // hosts, .domains, addresses and networks (10.0.0.0/8) that are reached directly
};

struct Endpoint {
  std::string base_url;  // https://host[:port][/path], no trailing slash
  std::string ca;        // PEM file, empty: system store
  std::string certificate;
  std::string key;
  std::vector<std::string> pins;  // "sha256//<base64>", any of them
  Proxy proxy;
  std::string bind;  // local address, or name of an interface, that connections start at; empty: the routes decide
  std::chrono::milliseconds connect_timeout{10'000};  // name, TCP and TLS
  std::chrono::milliseconds timeout{30'000};          // whole transfer
  std::chrono::milliseconds stall_timeout{60'000};    // less than a byte per second in both directions for this long
  std::uint64_t max_response_bytes = 1ULL << 20U;     // the rest is cut and `truncated` is set
};

struct Request {
  std::string method = "POST";
  std::string path;  // appended to base_url; empty or begins with '/' or '?'
  std::vector<std::pair<std::string, std::string>> headers;
  std::string_view body;        // must stay alive until the callback
  bool new_connection = false;  // over a connection that no other request has used
  bool leave_kept = false;      // likewise, and those that are open by now carry no other request either
  bool only_connect = false;    // makes the connection, TLS included, and sends nothing: a response without a status
};

// How far an attempt came when no complete response arrived.
enum class Transport : std::uint8_t {
  kOk,          // a complete response, or one that was cut at our bounds (`truncated`)
  kResolve,     // DNS
  kConnect,     // refused, unreachable, connect timeout
  kTls,         // handshake, certificate, pin
  kProxy,       // the proxy could not be reached, or made no connection to the other side; nothing was sent to that
  kSendFailed,  // ended before the whole request was sent
  kTimeout,     // after (part of) the request was sent: outcome unknown
  kReset,       // connection lost after the request was sent: outcome unknown
  kProtocol,    // a reply that is not HTTP, or was cut short: outcome unknown
  kLocal,       // our own fault: bad URL, missing CA file, out of memory
};
std::string_view Name(Transport transport);
// Whether the other side may have acted on the request.
bool OutcomeUnknown(Transport transport);

// Without a complete response (transport is not kOk) there are no status, headers and body.
struct Response {
  Transport transport = Transport::kOk;
  std::string error;  // for people, set when transport is not kOk; never contains a secret
  int status = 0;
  // Names in lower case. Of more than 500 headers, or 128 KiB, the rest is read over and counted.
  std::vector<std::pair<std::string, std::string>> headers;
  std::uint32_t headers_left_out = 0;
  std::string body;         // decoded where it is gzip, bounded
  std::string undecodable;  // the Content-Encoding that is none that we know or asked for: `body` is as it came
  bool truncated = false;   // headers (256 KiB) or body were over a bound; reading ended there
  std::chrono::microseconds elapsed{};
  std::string http_version;      // "1.0", "1.1", "2"
  std::uint64_t bytes_sent = 0;  // request line, headers and body, as handed to the connection
  // The TCP connection that carried the request: each one of this uploader has a number of its own. 0: none was made.
  std::uint64_t connection = 0;
  // When the first of the server's certificates ends, by the chain that it sent; none: the connection was made for
  // another request, or is without TLS.
  std::optional<WallTime> certificate_ends;

  // First header of this lower-case name, or empty.
  std::string_view Header(std::string_view name) const;
};

// Every request is sent once: there are no retries underneath, no redirects, no cookies, and no proxy but the one of
// the endpoint (none from the environment). TLS is 1.2 or newer, with the certificate and the host name always
// verified. At most 256 requests at a time, 64 connections per host, 64 idle connections.
class Uploader {
 public:
  virtual ~Uploader() = default;
  // Starts a request; `done` runs within a later Poll(), and may call Send() and Abort(). Endpoints share connections
  // by host.
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

}  // namespace packhorse::upload
