#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace packhorse::ingest {

// Where a broker listens. Plain value.
struct Endpoint {
  std::string host;  // without brackets
  std::uint16_t port = 0;
  bool tls = false;

  std::string Authority() const;  // host:port, [host]:port
  std::string Shown() const;      // mqtts://host:port
  std::string PahoUri() const;    // ssl://host:port
};

// mqtt://host[:1883] or mqtts://host[:8883], IPv6 addresses in brackets; no path and no credentials.
Result<Endpoint> ParseEndpoint(std::string_view url);

}  // namespace packhorse::ingest
