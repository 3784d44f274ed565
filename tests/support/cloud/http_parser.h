#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "http_message.h"

namespace packhorse::cloud {

inline constexpr std::size_t kMaxHeadBytes = std::size_t{32} * 1024;

// What the head of a request says about reading on.
struct Head {
  Request request;  // without body; framing set when the request cannot be served
  std::uint64_t content_length = 0;
  bool keep_alive = true;
  bool expects_continue = false;
};

// Parses request line and headers, without the empty line that ends them.
Head ParseHead(std::string_view text);

// "a=1&b=x%20y" -> {{"a","1"},{"b","x y"}}. The last of a repeated name wins.
std::map<std::string, std::string> ParseQuery(std::string_view query);

// Head and body as bytes for the wire, with Content-Length and Date.
std::string Serialize(const Reply& reply, bool keep_alive, std::string_view date);

// Reason phrase of a status, "Unknown" for one that is not in the table.
std::string_view Reason(int status);

}  // namespace packhorse::cloud
