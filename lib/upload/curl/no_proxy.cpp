#include "upload/curl/no_proxy.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>

#include "base/text.h"

namespace packhorse::upload {
namespace {

struct IpAddress {
  std::array<unsigned char, 16> bytes{};
  std::size_t size = 0;  // 4 or 16
};

std::optional<IpAddress> ParseAddress(std::string text) {
  if (text.size() > 2 && text.front() == '[' && text.back() == ']') {
    text = text.substr(1, text.size() - 2);
  }
  IpAddress address;
  if (inet_pton(AF_INET, text.c_str(), address.bytes.data()) == 1) {
    address.size = 4;
  } else if (inet_pton(AF_INET6, text.c_str(), address.bytes.data()) == 1) {
    address.size = 16;
  } else {
    return std::nullopt;
  }
  return address;
}

bool SameBits(const IpAddress& a, const IpAddress& b, std::size_t bits) {
  if (a.size != b.size || bits > a.size * 8) {
    return false;
  }
  for (std::size_t i = 0; i * 8 < bits; ++i) {
    const unsigned mask = bits >= (i + 1) * 8 ? 0xFFU : 0xFFU << ((i + 1) * 8 - bits) & 0xFFU;
    if (((a.bytes.at(i) ^ b.bytes.at(i)) & mask) != 0) {
      return false;
    }
  }
  return true;
}

bool InNetwork(const IpAddress& host, const std::string& entry) {
  const std::size_t slash = entry.find('/');
  const std::optional<IpAddress> network = ParseAddress(entry.substr(0, slash));
  if (!network) {
    return false;
  }
  std::size_t bits = network->size * 8;
  if (slash != std::string::npos) {
    const char* const end = entry.data() + entry.size();
    const auto [read_to, error] = std::from_chars(entry.data() + slash + 1, end, bits);
    if (error != std::errc() || read_to != end) {
      return false;
    }
  }
  return SameBits(host, *network, bits);
}

bool InDomain(std::string_view host, std::string_view domain) {
  if (!domain.empty() && domain.front() != '.' && host == domain) {
    return true;
  }
  while (!domain.empty() && domain.front() == '.') {
    domain.remove_prefix(1);
  }
  return !domain.empty() && host.size() > domain.size() + 1 && host.ends_with(domain) &&
         host[host.size() - domain.size() - 1] == '.';
}

}  // namespace

bool WithoutProxy(const std::string& host, const std::vector<std::string>& no_proxy) {
  const std::optional<IpAddress> address = ParseAddress(host);
  const std::string name = Lower(host.ends_with('.') ? host.substr(0, host.size() - 1) : host);
  return std::any_of(no_proxy.begin(), no_proxy.end(), [&](const std::string& entry) {
    return address ? InNetwork(*address, entry) : InDomain(name, Lower(entry));
  });
}

}  // namespace packhorse::upload
