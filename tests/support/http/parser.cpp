#include "support/http/parser.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/text.h"

namespace packhorse::http {
namespace {

std::string_view TakeLine(std::string_view& text) {
  const std::size_t end = text.find("\r\n");
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 2);
  return line;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::string PercentDecode(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && HexDigit(text[i + 1]) >= 0 && HexDigit(text[i + 2]) >= 0) {
      decoded += static_cast<char>(HexDigit(text[i + 1]) * 16 + HexDigit(text[i + 2]));
      i += 2;
    } else {
      decoded += text[i] == '+' ? ' ' : text[i];
    }
  }
  return decoded;
}

// "a=1&b=x%20y" -> {{"a","1"},{"b","x y"}}. The last of a repeated name wins.
std::map<std::string, std::string> ParseQuery(std::string_view query) {
  std::map<std::string, std::string> values;
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
    const std::size_t equals = pair.find('=');
    if (!pair.empty()) {
      values[PercentDecode(pair.substr(0, equals))] =
          equals == std::string_view::npos ? "" : PercentDecode(pair.substr(equals + 1));
    }
  }
  return values;
}

bool ParseRequestLine(std::string_view line, Head& head) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last || line[first + 1] != '/') {
    return false;
  }
  const std::string_view version = line.substr(last + 1);
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    return false;
  }
  head.keep_alive = version == "HTTP/1.1";
  head.request.method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::size_t question = target.find('?');
  head.request.path = target.substr(0, question);
  if (question != std::string_view::npos) {
    head.request.query = ParseQuery(target.substr(question + 1));
  }
  return true;
}

bool ParseHeaders(std::string_view lines, Request& request) {
  while (!lines.empty()) {
    const std::string_view line = TakeLine(lines);
    if (line.empty()) {
      return true;
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0 || line[colon - 1] == ' ') {
      return false;
    }
    const std::string_view value = Trim(line.substr(colon + 1));
    const auto [entry, fresh] = request.headers.try_emplace(Lower(line.substr(0, colon)), value);
    if (!fresh) {
      entry->second += ", ";
      entry->second += value;
    }
  }
  return true;
}

Framing ReadFraming(Head& head) {
  if (!head.request.Header("transfer-encoding").empty()) {
    return Framing::kLengthRequired;
  }
  const std::string_view length = head.request.Header("content-length");
  if (length.empty()) {
    return head.request.method == "POST" ? Framing::kLengthRequired : Framing::kOk;
  }
  const auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), head.content_length);
  if (error != std::errc() || end != length.data() + length.size()) {
    return Framing::kMalformed;
  }
  return Framing::kOk;
}

// "Unknown" for one that is not in the table.
std::string_view Reason(int status) {
  static constexpr std::array<std::pair<int, std::string_view>, 27> kReasons = {{
      {200, "OK"},
      {202, "Accepted"},
      {204, "No Content"},
      {207, "Multi-Status"},
      {301, "Moved Permanently"},
      {302, "Found"},
      {307, "Temporary Redirect"},
      {308, "Permanent Redirect"},
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {406, "Not Acceptable"},
      {408, "Request Timeout"},
      {409, "Conflict"},
      {410, "Gone"},
      {411, "Length Required"},
      {413, "Content Too Large"},
      {415, "Unsupported Media Type"},
      {421, "Misdirected Request"},
      {422, "Unprocessable Content"},
      {429, "Too Many Requests"},
      {500, "Internal Server Error"},
      {502, "Bad Gateway"},
      {503, "Service Unavailable"},
      {504, "Gateway Timeout"},
  }};
  const auto* found = std::find_if(kReasons.begin(), kReasons.end(), [&](const auto& r) { return r.first == status; });
  return found == kReasons.end() ? std::string_view("Unknown") : found->second;
}

}  // namespace

Head ParseHead(std::string_view text) {
  Head head;
  if (!ParseRequestLine(TakeLine(text), head) || !ParseHeaders(text, head.request)) {
    head.request.framing = Framing::kMalformed;
  } else {
    head.request.framing = ReadFraming(head);
  }
  const std::string connection = Lower(head.request.Header("connection"));
  if (connection == "close" || head.request.framing != Framing::kOk) {
    head.keep_alive = false;
  }
  head.expects_continue = Lower(head.request.Header("expect")) == "100-continue";
  return head;
}

std::string Serialize(const Reply& reply, bool keep_alive, std::string_view date) {
  std::string text = "HTTP/1.1 " + std::to_string(reply.status) + " ";
  text += Reason(reply.status);
  text += "\r\nDate: ";
  text += date;
  text += "\r\nContent-Length: " + std::to_string(reply.body.size()) + "\r\n";
  if (!reply.body.empty()) {
    text += "Content-Type: " + reply.content_type + "\r\n";
  }
  for (const auto& [name, value] : reply.headers) {
    text += name;
    text += ": ";
    text += value;
    text += "\r\n";
  }
  if (!keep_alive) {
    text += "Connection: close\r\n";
  }
  text += "\r\n";
  text += reply.wire == Wire::kTruncate ? reply.body.substr(0, reply.body.size() / 2) : reply.body;
  return text;
}

}  // namespace packhorse::http
