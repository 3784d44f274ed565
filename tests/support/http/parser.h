#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "support/http/message.h"

namespace packhorse::http {

inline constexpr std::size_t kMaxHeadBytes = std::size_t{32} * 1024;
inline constexpr std::string_view kEndOfHead = "\r\n\r\n";

// What the head of a request says about reading on.
struct Head {
  Request request;  // without body; framing set when the request cannot be served
  std::uint64_t content_length = 0;
  bool keep_alive = true;
  bool expects_continue = false;
};

// Parses request line and headers. An empty line ends them; what follows it is not looked at.
Head ParseHead(std::string_view text);

// Head and body as bytes for the wire, with Content-Length and Date.
std::string Serialize(const Reply& reply, bool keep_alive, std::string_view date);

}  // namespace packhorse::http
