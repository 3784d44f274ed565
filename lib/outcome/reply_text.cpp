#include "outcome/reply_text.h"

#include <algorithm>
#include <utility>

#include "base/mask.h"
#include "base/text.h"
#include "base/units.h"

namespace packhorse::outcome {
namespace {

constexpr std::size_t kHtmlBytesRead = 16'384;
constexpr std::size_t kTitleBytes = 160;

// RFC 6750 section 2.1 and RFC 7235: the characters of a token68.
bool IsCredentialChar(char c) { return IsAlnum(c) || std::string_view("-._~+/=").find(c) != std::string_view::npos; }

// Long enough, or short with a digit: "Bearer token" is a word, "Bearer 8f3a91c2" is none.
bool LooksLikeACredential(std::string_view word) {
  const bool digit = std::any_of(word.begin(), word.end(), IsDigit);
  return word.size() >= 16 || (word.size() >= 8 && digit);
}

void MaskCredentials(std::string& text) {
  const std::string lower = Lower(text);
  std::string masked;
  std::size_t copied = 0;
  for (std::size_t at = 0; at < lower.size(); ++at) {
    const std::string_view rest = std::string_view(lower).substr(at);
    const std::size_t word = rest.substr(0, 7) == "bearer " ? 7 : rest.substr(0, 6) == "basic " ? 6 : 0;
    if (word == 0 || (at > 0 && IsAlnum(lower[at - 1]))) {
      continue;
    }
    const std::size_t begin = at + word;
    std::size_t end = begin;
    while (end < text.size() && IsCredentialChar(text[end])) {
      ++end;
    }
    if (LooksLikeACredential(std::string_view(text).substr(begin, end - begin))) {
      masked.append(text, copied, begin - copied);
      masked += "***";
      copied = end;
      at = end - 1;
    }
  }
  if (copied > 0) {
    masked.append(text, copied);
    text = std::move(masked);
  }
}

// What stands between the first tag of this name and its end, with runs of white space as one blank.
std::string ElementText(std::string_view html, std::string_view lower, std::string_view tag) {
  const std::size_t open = lower.find("<" + std::string(tag));
  const std::size_t begin = open == std::string_view::npos ? open : lower.find('>', open);
  if (begin == std::string_view::npos) {
    return "";
  }
  const std::size_t end = std::min(lower.find('<', begin), html.size());
  std::string text;
  for (const char c : Trim(html.substr(begin + 1, end - begin - 1))) {
    if (!IsSpace(c)) {
      text += c;
    } else if (text.back() != ' ') {
      text += ' ';
    }
  }
  return text;
}

constexpr std::pair<int, std::string_view> kPhrases[] = {
    // RFC 9110 section 15, RFC 6585, RFC 4918, RFC 7725; 520-526 are Cloudflare's.
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {207, "Multi-Status"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {423, "Locked"},
    {424, "Failed Dependency"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
    {508, "Loop Detected"},
    {511, "Network Authentication Required"},
    {520, "Unknown Error"},
    {521, "Web Server Is Down"},
    {522, "Connection Timed Out"},
    {523, "Origin Is Unreachable"},
    {524, "A Timeout Occurred"},
    {525, "SSL Handshake Failed"},
    {526, "Invalid SSL Certificate"},
};

}  // namespace

std::string OneLine(std::string_view text, std::size_t max_bytes) {
  // No escaped form is shorter than what it stands for, so that more than this cannot be shown anyway. A secret that is
  // looked for must not be cut.
  const std::string masked = MaskSecretsAndPieces(Trim(text).substr(0, max_bytes + 8 + LongestSecretForm()));
  std::string out;
  AppendPrintable(out, std::string_view(masked).substr(0, max_bytes + 8));
  MaskCredentials(out);
  return Shorten(out, max_bytes);
}

std::string StatusLine(int status) {
  std::string line = "HTTP " + std::to_string(status);
  for (const auto& [code, phrase] : kPhrases) {
    if (code == status) {
      line += ' ';
      line += phrase;
    }
  }
  return line;
}

std::string_view Header(const Reply& reply, std::string_view name) {
  for (const auto& [key, value] : reply.headers) {
    if (key == name) {
      return value;
    }
  }
  return {};
}

std::vector<std::string_view> Headers(const Reply& reply, std::string_view name) {
  std::vector<std::string_view> values;
  for (const auto& [key, value] : reply.headers) {
    if (key == name) {
      values.emplace_back(value);
    }
  }
  return values;
}

std::string MediaType(const Reply& reply) {
  const std::string_view value = Header(reply, "content-type");
  return Lower(Trim(value.substr(0, value.find(';'))));
}

bool IsJsonType(std::string_view media_type) {
  constexpr std::string_view kSuffix = "+json";
  constexpr std::string_view kAmazon = "application/x-amz-json-";  // with a version
  return media_type == "application/json" || media_type == "text/json" || media_type.starts_with(kAmazon) ||
         (media_type.size() > kSuffix.size() && media_type.substr(media_type.size() - kSuffix.size()) == kSuffix);
}

bool IsHtml(const Reply& reply) {
  const std::string type = MediaType(reply);
  if (type == "text/html" || type == "application/xhtml+xml") {
    return true;
  }
  std::string_view body = reply.body;
  if (body.substr(0, 3) == "\xEF\xBB\xBF") {
    body.remove_prefix(3);
  }
  const std::string start = Lower(Trim(body.substr(0, 512)).substr(0, 14));
  return start == "<!doctype html" || start.substr(0, 5) == "<html";
}

std::string DescribeHtml(const Reply& reply) {
  const std::string_view html = std::string_view(reply.body).substr(0, kHtmlBytesRead);
  const std::string lower = Lower(html);
  std::string title = ElementText(html, lower, "title");
  if (title.empty()) {
    title = ElementText(html, lower, "h1");
  }
  return title.empty() ? "an HTML page" : "an HTML page: " + OneLine(title, kTitleBytes);
}

}  // namespace packhorse::outcome
