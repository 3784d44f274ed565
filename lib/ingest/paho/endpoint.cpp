#include "ingest/paho/endpoint.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/units.h"

namespace packhorse::ingest {
namespace {

constexpr std::string_view kPlain = "mqtt://";
constexpr std::string_view kTls = "mqtts://";
constexpr std::uint16_t kPlainPort = 1883;  // both registered with IANA for MQTT
constexpr std::uint16_t kTlsPort = 8883;

bool StartsWith(std::string_view text, std::string_view prefix) { return text.substr(0, prefix.size()) == prefix; }

Result<std::uint16_t> ParsePort(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0) {
    return Error{ErrorCode::kInvalidArgument, "the port must be a number from 1 to 65535"};
  }
  return port;
}

bool IsHost(std::string_view host) {
  return !host.empty() && host.size() <= 255 &&
         std::all_of(host.begin(), host.end(), [](char c) { return c > ' ' && c != '/' && c != 0x7F && c != '\\'; });
}

// Splits "host:port" or "[address]:port"; the port text is empty when there is none.
Result<std::pair<std::string_view, std::string_view>> SplitAuthority(std::string_view authority) {
  if (StartsWith(authority, "[")) {
    const std::size_t close = authority.find(']');
    const std::string_view rest = close == std::string_view::npos ? std::string_view() : authority.substr(close + 1);
    if (close == std::string_view::npos || (!rest.empty() && rest.front() != ':') || rest == ":") {
      return Error{ErrorCode::kInvalidArgument, "an IPv6 address stands in brackets, as in mqtt://[::1]:1883"};
    }
    return std::pair(authority.substr(1, close - 1), rest.empty() ? rest : rest.substr(1));
  }
  const std::size_t colon = authority.find(':');
  if (colon == std::string_view::npos) {
    return std::pair(authority, std::string_view());
  }
  if (authority.find(':', colon + 1) != std::string_view::npos) {
    return Error{ErrorCode::kInvalidArgument, "an IPv6 address stands in brackets, as in mqtt://[::1]:1883"};
  }
  if (colon + 1 == authority.size()) {
    return Error{ErrorCode::kInvalidArgument, "the port must be a number from 1 to 65535"};
  }
  return std::pair(authority.substr(0, colon), authority.substr(colon + 1));
}

Result<Endpoint> Parse(std::string_view url) {
  Endpoint endpoint;
  endpoint.tls = StartsWith(url, kTls);
  if (!endpoint.tls && !StartsWith(url, kPlain)) {
    return Error{ErrorCode::kInvalidArgument, "must start with mqtt:// or mqtts://"};
  }
  std::string_view authority = url.substr(endpoint.tls ? kTls.size() : kPlain.size());
  if (!authority.empty() && authority.back() == '/') {
    authority.remove_suffix(1);
  }
  const auto parts = SplitAuthority(authority);
  RETURN_IF_ERROR(parts);
  if (!IsHost(parts->first)) {
    return Error{ErrorCode::kInvalidArgument, "must be mqtt://host[:port] or mqtts://host[:port] and nothing more"};
  }
  endpoint.host = parts->first;
  endpoint.port = endpoint.tls ? kTlsPort : kPlainPort;
  if (!parts->second.empty()) {
    const Result<std::uint16_t> port = ParsePort(parts->second);
    RETURN_IF_ERROR(port);
    endpoint.port = *port;
  }
  return endpoint;
}

}  // namespace

std::string Endpoint::Authority() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::string Endpoint::Shown() const { return std::string(tls ? kTls : kPlain) + Authority(); }
// Without brackets in the case of TLS: Paho C 1.3.12 would compare the certificate with "[" and the address. It takes
// what stands behind the last colon for the port.
std::string Endpoint::PahoUri() const {
  return tls ? "ssl://" + host + ":" + std::to_string(port) : "tcp://" + Authority();
}

Result<Endpoint> ParseEndpoint(std::string_view url) {
  if (url.find('@') != std::string_view::npos) {  // not shown: it may be a password
    return Error{ErrorCode::kInvalidArgument,
                 "broker URL with '@': give user name and password as \"username\" and \"password\" of the source"};
  }
  Result<Endpoint> endpoint = Parse(url);
  return endpoint ? std::move(endpoint) : endpoint.error().With("broker URL \"" + Shorten(url, 100) + "\"");
}

}  // namespace packhorse::ingest
