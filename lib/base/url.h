#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace packhorse {

// A URL as it is written, in parts (RFC 3986 section 3). Nothing is checked, and each part may be empty.
struct UrlParts {
  std::string_view lead;                 // "https://"; "//" where the scheme is left out
  std::optional<std::string_view> user;  // none without an '@'
  std::string_view host;                 // with its port
  std::string_view path;
  std::string_view rest;  // query and fragment, from '?' or '#' on
};
UrlParts SplitUrl(std::string_view text);
// The host as in the header Host: without the port where it is the standard one of http or https.
std::string_view HostHeader(const UrlParts& url);

// A URL that is accepted. User information, query and fragment are not.
struct Url {
  std::string scheme;
  std::string host;        // as it is written, an IPv6 address without its brackets
  std::uint16_t port = 0;  // the scheme's standard port where none is written
  std::string path;        // without slashes at its end
};

struct UrlCheck {
  std::optional<Url> url;  // none: `message` says what is wrong
  std::string message;
  std::string allowed;
  std::string other_scheme;  // the one that is not supported, where that is what is wrong
};

// `schemes`: mqtt, mqtts, http, https. mqtt and mqtts take no path.
UrlCheck ParseUrl(std::string_view text, const std::vector<std::string>& schemes);
// HOST:PORT, where the port is needed.
UrlCheck ParseListen(std::string_view text);

// An IPv4 or IPv6 address, without brackets.
bool IsAddress(const std::string& host);
// 127.0.0.0/8, ::1 and localhost.
bool IsLoopback(const std::string& host);
// A URL as it may be shown: what stands where user information, query or fragment would be is replaced by "***".
std::string WithoutSecrets(std::string_view url);

}  // namespace packhorse
