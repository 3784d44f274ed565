#include "base/url.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"

namespace packhorse {
namespace {

constexpr std::string_view kHostForm = "a host name, an IPv4 address, or an IPv6 address in [ ]";

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

// "mqtt:// or mqtts://"
std::string SchemeList(const std::vector<std::string>& schemes) { return Join(schemes, ":// or ") + "://"; }

bool IsAddressOf(int family, const std::string& text) {
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
    const bool bad =
        label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-' ||
        !std::all_of(label.begin(), label.end(), [](char c) { return IsAlnum(c) || c == '-' || c == '_'; });
    if (bad) {
      return false;
    }
    start = dot + 1;
  }
  return true;
}

UrlCheck Wrong(std::string message, std::string allowed, std::string other_scheme = "") {
  return UrlCheck{std::nullopt, std::move(message), std::move(allowed), std::move(other_scheme)};
}

// [ADDRESS] off the front of `text` into `url`; a problem otherwise.
std::optional<UrlCheck> TakeBracketed(std::string_view& text, Url& url) {
  const std::size_t end = text.find(']');
  url.host = text.substr(1, end == std::string_view::npos ? end : end - 1);
  if (end == std::string_view::npos || !IsAddressOf(AF_INET6, url.host)) {
    return Wrong("has no valid IPv6 address in [ ]", std::string(kHostForm));
  }
  text.remove_prefix(end + 1);
  return std::nullopt;
}

std::optional<UrlCheck> TakeHost(std::string_view& text, Url& url) {
  const std::size_t colon = std::min(text.find(':'), text.size());
  url.host = text.substr(0, colon);
  text.remove_prefix(colon);
  if (text.size() > 1 && text.find(':', 1) != std::string_view::npos) {
    return Wrong("has more than one ':' after the host", std::string(kHostForm));
  }
  if (url.host.empty()) {
    return Wrong("has no host", std::string(kHostForm));
  }
  const bool numeric = url.host.find_first_not_of("0123456789.") == std::string::npos;
  if (numeric ? !IsAddressOf(AF_INET, url.host) : !IsHostName(url.host)) {
    return Wrong(numeric ? "has no valid IPv4 address" : "has no valid host name",
                 std::string(kHostForm) + "; international names in their xn-- form");
  }
  return std::nullopt;
}

// HOST[:PORT] into `url`; a problem otherwise.
std::optional<UrlCheck> ParseAuthority(std::string_view text, Url& url) {
  const bool bracketed = !text.empty() && text.front() == '[';
  if (std::optional<UrlCheck> problem = bracketed ? TakeBracketed(text, url) : TakeHost(text, url)) {
    return problem;
  }
  if (!text.empty() && (text.front() != ':' || !ReadNumber(text.substr(1), url.port) || url.port == 0)) {
    return Wrong("has no valid port", "1 to 65535");
  }
  return std::nullopt;
}

bool IsPath(std::string_view path) {
  // RFC 3986 section 3.3: pchar and '/'.
  constexpr std::string_view kOther = "-._~!$&'()*+,;=:@/";
  const auto is_hex = [](char c) {
    return std::string_view("0123456789abcdefABCDEF").find(c) != std::string_view::npos;
  };
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '%') {
      if (i + 2 >= path.size() || !is_hex(path[i + 1]) || !is_hex(path[i + 2])) {
        return false;
      }
      i += 2;
    } else if (!IsAlnum(path[i]) && kOther.find(path[i]) == std::string_view::npos) {
      return false;
    }
  }
  return true;
}

}  // namespace

UrlParts SplitUrl(std::string_view text) {
  UrlParts parts;
  const std::size_t end = std::min(text.find_first_of("?#"), text.size());
  parts.rest = text.substr(end);
  text = text.substr(0, end);
  const std::size_t colon = text.find("://");
  parts.lead = text.substr(0, colon != std::string_view::npos ? colon + 3 : text.starts_with("//") ? 2 : 0);
  text.remove_prefix(parts.lead.size());
  const std::size_t slash = std::min(text.find('/'), text.size());
  parts.path = text.substr(slash);
  parts.host = text.substr(0, slash);
  if (const std::size_t at = parts.host.rfind('@'); at != std::string_view::npos) {
    parts.user = parts.host.substr(0, at);
    parts.host.remove_prefix(at + 1);
  }
  return parts;
}

UrlCheck ParseUrl(std::string_view text, const std::vector<std::string>& schemes) {
  UrlParts parts = SplitUrl(text);
  if (!parts.lead.ends_with("://")) {
    return Wrong("is not a URL with a scheme", "a URL that starts with " + SchemeList(schemes));
  }
  Url url;
  url.scheme = parts.lead.substr(0, parts.lead.size() - 3);
  if (std::find(schemes.begin(), schemes.end(), url.scheme) == schemes.end()) {
    return Wrong("has a scheme that is not supported here", SchemeList(schemes), url.scheme);
  }
  url.port = StandardPort(url.scheme);
  if (!parts.rest.empty()) {
    return Wrong("must not have a query or fragment ('?', '#')", "scheme, host, port and path only");
  }
  if (parts.user) {
    return Wrong("must not have a user name or password before '@'",
                 "user names and secrets under their own keys, secrets by reference");
  }
  if (std::optional<UrlCheck> problem = ParseAuthority(parts.host, url)) {
    return *std::move(problem);
  }
  while (!parts.path.empty() && parts.path.back() == '/') {
    parts.path.remove_suffix(1);
  }
  const bool http = url.scheme == "http" || url.scheme == "https";
  if (!http && !parts.path.empty()) {
    return Wrong("must not have a path", "mqtt://HOST[:PORT] or mqtts://HOST[:PORT]");
  }
  if (!IsPath(parts.path)) {
    return Wrong("has characters in its path that must be percent-encoded", "letters, digits and -._~!$&'()*+,;=:@/%");
  }
  url.path = parts.path;
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

bool IsAddress(const std::string& host) { return IsAddressOf(AF_INET, host) || IsAddressOf(AF_INET6, host); }

bool IsLoopback(const std::string& host) {
  if (host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string::npos) {
    return true;
  }
  in6_addr address{};
  return Lower(host) == "localhost" ||
         (inet_pton(AF_INET6, host.c_str(), &address) == 1 && IN6_IS_ADDR_LOOPBACK(&address));
}

std::string WithoutSecrets(std::string_view url) {
  std::string text(url.substr(0, url.find_first_of("?#")));
  if (text.size() != url.size()) {
    text += url[text.size()];
    text += "***";
  }
  const std::size_t at = text.rfind('@');  // wherever it stands: a password may hold a '/'
  if (at == std::string::npos) {
    return text;
  }
  const std::size_t separator = text.find("://");
  const std::size_t start = separator == std::string::npos || separator > at ? 0 : separator + 3;
  return text.replace(start, at - start, "***");
}

std::string_view HostHeader(const UrlParts& url) {
  const std::string_view standard = url.lead == "https://" ? ":443" : ":80";
  return url.host.ends_with(standard) ? url.host.substr(0, url.host.size() - standard.size()) : url.host;
}

}  // namespace packhorse
