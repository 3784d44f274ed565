#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace packhorse::http {

// What is wrong with a request already at the level of HTTP. The handler still sees it, so that every refusal is a
// problem document; the connection is closed after the reply.
enum class Framing {
  kOk,
  kMalformed,       // request line or headers cannot be read: 400
  kLengthRequired,  // a body without Content-Length (chunked is not offered): 411, RFC 9110 section 15.5.12
  kTooLarge,        // Content-Length over the limit: 413, the body was not read
};

struct Request {
  std::string method;
  std::string path;                            // without the query
  std::map<std::string, std::string> query;    // percent-decoded
  std::map<std::string, std::string> headers;  // names in lower case; repeated ones joined by ", "
  std::string body;                            // as received, still content-encoded
  Framing framing = Framing::kOk;

  // Value of a header (name in lower case), empty when absent.
  std::string_view Header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string_view() : std::string_view(found->second);
  }
};

// How the reply goes over the wire; everything but kNormal is a fault on purpose.
enum class Wire {
  kNormal,
  kDrop,      // connection closed without a byte
  kReset,     // connection reset (RST)
  kTruncate,  // full Content-Length, half of the body, closed
};

struct Reply {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  Wire wire = Wire::kNormal;
  std::chrono::milliseconds delay{0};  // waited before the first byte is sent
};

}  // namespace packhorse::http
