#include "config/url.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/text.h"
#include "config/suggest.h"

namespace packhorse::config {
namespace {

constexpr std::string_view kHostForm = "a host name, an IPv4 address, or an IPv6 address in [ ]";
constexpr std::string_view kAlphanumeric = "0123456789abcdefghijklmnopqrstuvwxyz";

std::uint16_t StandardPort(std::string_view scheme) {
  static constexpr std::array<std::pair<std::string_view, std::uint16_t>, 4> kPorts = {
      {{"mqtt", 1883}, {"mqtts", 8883}, {"http", 80}, {"https", 443}}};
  for (const auto& [name, port] : kPorts) {
    if (name == scheme) {
      return port;
    }
  }
  return 0;
}

// What other programs call the same thing.
std::string SchemeMeant(std::string_view scheme, const std::vector<std::string>& schemes) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kOthers = {
      {{"tcp", "mqtt"}, {"ssl", "mqtts"}, {"tls", "mqtts"}, {"ws", "mqtt"}, {"wss", "mqtts"}, {"mqtt+ssl", "mqtts"}}};
  for (const auto& [other, meant] : kOthers) {
    if (other == scheme && std::find(schemes.begin(), schemes.end(), meant) != schemes.end()) {
      return "did you mean \"" + std::string(meant) + "://\"?";
    }
  }
  const std::string nearest = Nearest(scheme, schemes);
  return nearest.empty() ? "" : "did you mean \"" + nearest + "://\"?";
}

std::string SchemeList(const std::vector<std::string>& schemes) {
  std::string list;
  for (const std::string& scheme : schemes) {
    list += (list.empty() ? "" : " or ") + scheme + "://";
  }
  return list;
}

bool IsAddress(int family, const std::string& text) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  return inet_pton(family, text.c_str(), bytes.data()) == 1;
}

// RFC 1123 section 2.1 host names; underscores are common in container networks.
bool IsHostName(std::string_view host) {
  if (host.empty() || host.size() > 253) {
    return false;
  }
  std::size_t start = 0;
  while (start <= host.size()) {
    const std::size_t dot = std::min(host.find('.', start), host.size());
    const std::string_view label = host.substr(start, dot - start);
    const bool bad = label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-' ||
                     label.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyz-_") != std::string_view::npos;
    if (bad) {
      return false;
    }
    start = dot + 1;
  }
  return true;
}

UrlCheck Wrong(std::string message, std::string allowed, std::string suggestion = "") {
  return UrlCheck{std::nullopt, std::move(message), std::move(allowed), std::move(suggestion)};
}

// HOST[:PORT] into `url`; a problem otherwise.
std::optional<UrlCheck> ParseAuthority(std::string_view text, Url& url) {
  std::string_view port;
  std::string_view rest;
  if (!text.empty() && text.front() == '[') {
    const std::size_t end = text.find(']');
    url.host = Lower(text.substr(1, end == std::string_view::npos ? std::string_view::npos : end - 1));
    if (end == std::string_view::npos || !IsAddress(AF_INET6, url.host)) {
      return Wrong("has no valid IPv6 address in [ ]", std::string(kHostForm));
    }
    rest = text.substr(end + 1);
  } else {
    const std::size_t colon = text.find(':');
    url.host = Lower(text.substr(0, colon));
    rest = colon == std::string_view::npos ? std::string_view() : text.substr(colon);
    if (rest.size() > 1 && rest.find(':', 1) != std::string_view::npos) {
      return Wrong("has more than one ':' after the host", std::string(kHostForm));
    }
    if (url.host.empty()) {
      return Wrong("has no host", std::string(kHostForm));
    }
    const bool numeric = url.host.find_first_not_of("0123456789.") == std::string::npos;
    if (numeric ? !IsAddress(AF_INET, url.host) : !IsHostName(url.host)) {
      return Wrong(numeric ? "has no valid IPv4 address" : "has no valid host name",
                   std::string(kHostForm) + "; international names in their xn-- form");
    }
  }
  if (rest.empty()) {
    return std::nullopt;
  }
  port = rest.substr(1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), url.port);
  if (rest.front() != ':' || port.empty() || error != std::errc() || end != port.data() + port.size() ||
      url.port == 0) {
    return Wrong("has no valid port", "1 to 65535");
  }
  return std::nullopt;
}

bool IsPath(std::string_view path) {
  // RFC 3986 section 3.3: pchar and '/'.
  constexpr std::string_view kOther = "ABCDEFGHIJKLMNOPQRSTUVWXYZ-._~!$&'()*+,;=:@/";
  const auto is_hex = [](char c) {
    return std::string_view("0123456789abcdefABCDEF").find(c) != std::string_view::npos;
  };
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '%') {
      if (i + 2 >= path.size() || !is_hex(path[i + 1]) || !is_hex(path[i + 2])) {
        return false;
      }
      i += 2;
    } else if (kAlphanumeric.find(path[i]) == std::string_view::npos &&
               kOther.find(path[i]) == std::string_view::npos) {
      return false;
    }
  }
  return true;
}

}  // namespace

UrlCheck ParseUrl(std::string_view text, const std::vector<std::string>& schemes) {
  const std::string beginnings = SchemeList(schemes);
  const std::size_t separator = text.find("://");
  if (separator == std::string_view::npos) {
    return Wrong("is not a URL with a scheme", "a URL that starts with " + beginnings);
  }
  Url url;
  url.scheme = std::string(text.substr(0, separator));
  if (std::find(schemes.begin(), schemes.end(), url.scheme) == schemes.end()) {
    return Wrong("has a scheme that is not supported here", beginnings, SchemeMeant(url.scheme, schemes));
  }
  url.port = StandardPort(url.scheme);
  std::string_view rest = text.substr(separator + 3);
  if (rest.find_first_of("?#") != std::string_view::npos) {
    return Wrong("must not have a query or fragment ('?', '#')", "scheme, host, port and path only");
  }
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  const std::string_view authority = rest.substr(0, slash);
  std::string_view path = rest.substr(slash);
  if (authority.find('@') != std::string_view::npos) {
    return Wrong("must not have a user name or password before '@'",
                 "user names and secrets under their own keys, secrets by reference");
  }
  if (std::optional<UrlCheck> problem = ParseAuthority(authority, url)) {
    return *std::move(problem);
  }
  while (!path.empty() && path.back() == '/') {
    path.remove_suffix(1);
  }
  const bool http = url.scheme == "http" || url.scheme == "https";
  if (!http && !path.empty()) {
    return Wrong("must not have a path", "mqtt://HOST[:PORT] or mqtts://HOST[:PORT]");
  }
  if (!IsPath(path)) {
    return Wrong("has characters in its path that must be percent-encoded", "letters, digits and -._~!$&'()*+,;=:@/%");
  }
  url.path = std::string(path);
  return UrlCheck{std::move(url), "", "", ""};
}

UrlCheck ParseListen(std::string_view text) {
  Url url;
  if (std::optional<UrlCheck> problem = ParseAuthority(text, url)) {
    return *std::move(problem);
  }
  if (url.port == 0) {
    return Wrong("has no port", "HOST:PORT");
  }
  return UrlCheck{std::move(url), "", "", ""};
}

bool IsLoopback(std::string_view host) {
  const bool ipv4 = host.substr(0, 4) == "127." && host.find_first_not_of("0123456789.") == std::string_view::npos;
  if (ipv4 || host == "localhost") {
    return true;
  }
  in6_addr address{};
  return host.find(':') != std::string_view::npos && inet_pton(AF_INET6, std::string(host).c_str(), &address) == 1 &&
         IN6_IS_ADDR_LOOPBACK(&address);
}

std::string WithoutSecrets(std::string_view url) {
  std::string text(url.substr(0, url.find_first_of("?#")));
  if (text.size() != url.size()) {
    text += url[text.size()];
    text += "***";
  }
  const std::size_t at = text.rfind('@');
  if (at == std::string::npos) {
    return text;
  }
  const std::size_t separator = text.find("://");
  const std::size_t start = separator == std::string::npos || separator > at ? 0 : separator + 3;
  return text.replace(start, at - start, "***");
}

}  // namespace packhorse::config
