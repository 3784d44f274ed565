#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace packhorse::config {

// A URL of the configuration, taken apart (RFC 3986). User information, query and fragment are not accepted.
struct Url {
  std::string scheme;
  std::string host;        // lower case, an IPv6 address without its brackets
  std::uint16_t port = 0;  // the scheme's standard port where none is written
  std::string path;        // without slashes at its end
};

struct UrlCheck {
  std::optional<Url> url;  // none: `message` says what is wrong
  std::string message;
  std::string allowed;
  std::string suggestion;
};

// `schemes`: mqtt, mqtts, http, https. mqtt and mqtts take no path.
UrlCheck ParseUrl(std::string_view text, const std::vector<std::string>& schemes);
// HOST:PORT, where the port is needed.
UrlCheck ParseListen(std::string_view text);

// 127.0.0.0/8, ::1 and localhost.
bool IsLoopback(std::string_view host);
// A URL as it may be shown: what stands where user information, query or fragment would be is replaced by "***".
std::string WithoutSecrets(std::string_view url);

}  // namespace packhorse::config
