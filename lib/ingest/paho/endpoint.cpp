#include "ingest/paho/endpoint.h"

#include <utility>

#include "base/units.h"
#include "base/url.h"

namespace packhorse::ingest {

std::string Endpoint::Authority() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::string Endpoint::Shown() const { return (tls ? "mqtts://" : "mqtt://") + Authority(); }

// Without brackets in the case of TLS: Paho C 1.3.12 would compare the certificate with "[" and the address. It takes
// what stands behind the last colon for the port.
std::string Endpoint::PahoUri() const {
  return tls ? "ssl://" + host + ":" + std::to_string(port) : "tcp://" + Authority();
}

Result<Endpoint> ParseEndpoint(std::string_view url) {
  UrlCheck check = ParseUrl(url, {"mqtt", "mqtts"});
  if (!check.url) {
    return Error{ErrorCode::kInvalidArgument, "broker URL \"" + Shorten(WithoutSecrets(url), 100) + "\" " +
                                                  check.message + "; allowed: " + check.allowed};
  }
  return Endpoint{std::move(check.url->host), check.url->port, check.url->scheme == "mqtts"};
}

}  // namespace packhorse::ingest
