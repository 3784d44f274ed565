#include "upload/curl/transfer.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <ctime>
#include <utility>

#include "base/text.h"
#include "format/compression/gzip.h"

namespace packhorse::upload {
namespace {

constexpr std::size_t kMaxHeaders = 500;
constexpr std::size_t kMaxHeaderBytes = 131'072;
// Of all responses to a request, 1xx included: then it is no reply but a flood. libcurl has a bound of 300 KiB, where
// it would give up the reply.
constexpr std::size_t kMaxHeaderLines = 10'000;
constexpr std::size_t kMaxHeadBytes = 262'144;
constexpr std::size_t kMaxCodingBytes = 64;

// The dates as OpenSSL prints them: "Dec 31 23:59:59 2026 GMT".
std::optional<WallTime> ChainEnds(CURL* handle) {
  constexpr std::string_view kName = "Expire date:";
  curl_certinfo* chain = nullptr;
  if (curl_easy_getinfo(handle, CURLINFO_CERTINFO, &chain) != CURLE_OK || chain == nullptr) {
    return std::nullopt;
  }
  std::optional<WallTime> first;
  for (int i = 0; i < chain->num_of_certs; ++i) {
    for (const curl_slist* line = chain->certinfo[i]; line != nullptr; line = line->next) {
      std::tm date{};
      if (std::string_view(line->data).starts_with(kName) &&
          strptime(line->data + kName.size(), "%b %e %H:%M:%S %Y GMT", &date) != nullptr) {
        const WallTime end{std::chrono::seconds(timegm(&date))};
        first = first ? std::min(*first, end) : end;
      }
    }
  }
  return first;
}

// "HTTP/1.1 200 OK" and "HTTP/2 200": the number.
int StatusOf(std::string_view line) {
  const std::size_t blank = line.find(' ');
  int status = 0;
  if (blank != std::string_view::npos) {
    std::from_chars(line.data() + blank + 1, line.data() + line.size(), status);
  }
  return status;
}

std::string VersionName(long version) {
  switch (version) {
    case CURL_HTTP_VERSION_1_0:
      return "1.0";
    case CURL_HTTP_VERSION_1_1:
      return "1.1";
    case CURL_HTTP_VERSION_2_0:
      return "2";
    default:
      return "";
  }
}

// A proxy or a backend that cannot serve, and does not say for how long. Another connection may lead to a better one.
Connections::Outcome OutcomeOf(const Response& response) {
  using Outcome = Connections::Outcome;
  if (response.transport != Transport::kOk) {
    return response.transport == Transport::kLocal ? Outcome::kGood : Outcome::kLost;
  }
  if (response.status < 500) {
    return Outcome::kGood;
  }
  if (response.Header("retry-after").empty()) {
    return Outcome::kFailed;
  }
  return response.status == 503 ? Outcome::kBusy : Outcome::kGood;
}

// In lower case, of a list (RFC 9110 section 8.4) without what changes nothing.
std::string CodingOf(std::string_view header) {
  std::string coding;
  for (std::size_t at = 0; at <= header.size();) {
    const std::size_t end = std::min(header.find(',', at), header.size());
    const std::string one = Lower(Trim(header.substr(at, end - at)));
    if (one != "identity" && !one.empty()) {
      coding += coding.empty() ? one : "," + one;
    }
    at = end + 1;
  }
  return coding;
}

// One line of printable ASCII: messages go to logs and terminals, and parts of them come from the other side.
std::string Printable(std::string_view text) {
  std::string clean(Trim(text));
  for (char& c : clean) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20U || byte > 0x7EU) {
      c = byte == '\n' || byte == '\r' || byte == '\t' ? ' ' : '?';
    }
  }
  return clean;
}

}  // namespace

Transfer::Transfer(Endpoint endpoint, Request request, Connections& connections, std::shared_ptr<void> sessions,
                   std::function<void(Response)> done)
    : endpoint_(std::move(endpoint)),
      request_(std::move(request)),
      connections_(connections),
      done_(std::move(done)),
      handle_(curl_easy_init()),
      sessions_(std::move(sessions)),
      error_text_(CURL_ERROR_SIZE, '\0') {}

Transfer::~Transfer() {
  if (!released_) {
    connections_.Release(origin_, use_, Connections::Outcome::kGood, SystemClock().Mono());
  }
  curl_easy_cleanup(handle_);
  curl_slist_free_all(headers_);
}

std::size_t Transfer::OnHeader(char* data, std::size_t size, std::size_t count, void* self) {
  return static_cast<Transfer*>(self)->TakeHeaderLine({data, size * count}) ? size * count : 0;
}

std::size_t Transfer::OnBody(char* data, std::size_t size, std::size_t count, void* self) {
  return static_cast<Transfer*>(self)->TakeBody({data, size * count}) ? size * count : 0;
}

std::size_t Transfer::OnRead(char* buffer, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  const std::string_view left = transfer.request_.body.substr(transfer.body_read_);
  const std::size_t n = std::min(left.size(), size * count);
  std::memcpy(buffer, left.data(), n);
  transfer.body_read_ += n;
  return n;
}

// libcurl wants the body from its start when a kept connection turns out to be dead and it would send the request again
// by itself. It must not: whether the first one had arrived is for the caller to know (RFC 9110 section 9.2.2).
int Transfer::OnSeek(void* self, std::int64_t offset, int origin) {
  auto& transfer = *static_cast<Transfer*>(self);
  const bool at_start = offset == 0 && origin == SEEK_SET && transfer.body_read_ == 0;
  transfer.resend_refused_ = !at_start;
  return at_start ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

// libcurl has a connection for the request, new or kept, and has sent nothing of it. The type is libcurl's.
// NOLINTNEXTLINE(readability-non-const-parameter)
int Transfer::OnConnection(void* self, char* remote_ip, char* local_ip, int remote_port, int local_port) {
  auto& transfer = *static_cast<Transfer*>(self);
  const Connections::Ends ends{local_ip, local_port, remote_ip, remote_port};
  if (!transfer.connections_.Take(transfer.origin_, ends, SystemClock().Mono(), transfer.use_)) {
    transfer.refused_connection_ = true;
    return CURL_PREREQFUNC_ABORT;
  }
  transfer.connected_ = true;
  transfer.head_before_ = transfer.HeadSent();
  return CURL_PREREQFUNC_OK;
}

void Transfer::TakeNewConnection() {
  refused_connection_ = false;
  connected_ = false;
  curl_easy_setopt(handle_, CURLOPT_FRESH_CONNECT, 1L);
}

void Transfer::Release(const Response& response) {
  connections_.Release(origin_, use_, OutcomeOf(response), SystemClock().Mono());
  released_ = true;
}

bool Transfer::TakeHeaderLine(std::string_view line) {
  header_bytes_ += line.size();
  if (++header_count_ > kMaxHeaderLines || header_bytes_ > kMaxHeadBytes) {
    cut_ = true;
    return false;
  }
  if (headers_done_) {
    return true;
  }
  if (line.substr(0, 5) == "HTTP/") {
    response_.status = StatusOf(line);
    response_.headers.clear();
    response_.headers_left_out = 0;
    kept_header_bytes_ = 0;
    return true;
  }
  if (Trim(line).empty()) {
    headers_done_ = response_.status >= 200;
    return true;
  }
  const std::size_t colon = line.find(':');
  if (colon == 0 || colon == std::string_view::npos || line.front() == ' ' || line.front() == '\t') {
    return true;
  }
  if (response_.headers.size() >= kMaxHeaders || kept_header_bytes_ + line.size() > kMaxHeaderBytes) {
    ++response_.headers_left_out;
    return true;
  }
  kept_header_bytes_ += line.size();
  std::string name = Lower(Trim(line.substr(0, colon)));
  response_.headers.emplace_back(std::move(name), Trim(line.substr(colon + 1)));
  return true;
}

bool Transfer::TakeBody(std::string_view bytes) {
  const std::uint64_t room = endpoint_.max_response_bytes - response_.body.size();
  if (bytes.size() <= room) {
    response_.body += bytes;
    return true;
  }
  response_.body += bytes.substr(0, static_cast<std::size_t>(room));
  cut_ = true;
  return false;
}

void Transfer::Decode() {
  const std::string_view header = response_.Header("content-encoding");
  const std::string coding = CodingOf(header);
  if (coding.empty() || response_.body.empty()) {
    return;
  }
  if (coding == "gzip" || coding == "x-gzip") {
    if (Result<format::Gunzipped> decoded = format::GunzipPart(response_.body, endpoint_.max_response_bytes)) {
      response_.truncated = response_.truncated || !decoded->complete;
      response_.body = std::move(decoded->bytes);
      return;
    }
  }
  response_.undecodable = Printable(Trim(header).substr(0, kMaxCodingBytes));
}

// libcurl counts what it sends to a proxy too.
std::size_t Transfer::HeadSent() const {
  long head = 0;
  curl_easy_getinfo(handle_, CURLINFO_REQUEST_SIZE, &head);
  return static_cast<std::size_t>(std::max(head, 0L));
}

Progress Transfer::Measure(int code) const {
  curl_off_t body = 0;
  curl_easy_getinfo(handle_, CURLINFO_SIZE_UPLOAD_T, &body);
  Progress progress;
  const std::size_t head = HeadSent();
  progress.head_sent = connected_ && head > head_before_ ? head - head_before_ : 0;
  progress.proxy_failed = !ProxyFailure(code).empty();
  // libcurl clears its counter before it wants to send again; what it had fetched is an upper bound.
  progress.body_sent = resend_refused_ ? body_read_ : static_cast<std::uint64_t>(std::max<curl_off_t>(body, 0));
  progress.body_size = request_.body.size();
  progress.status = response_.status;
  progress.headers_done = headers_done_;
  return progress;
}

std::string Transfer::ProxyFailure(int code) const {
  long answered = 0;
  curl_easy_getinfo(handle_, CURLINFO_HTTP_CONNECTCODE, &answered);
  const bool tunnel = answered >= 200 && answered < 300;
  if (code == CURLE_OK || code == CURLE_INTERFACE_FAILED || proxy_where_.empty() || connected_ || tunnel) {
    return {};
  }
  if (answered == 407) {
    return endpoint_.proxy.username.empty() ? "it wants a user name and a password (407)"
                                            : "it refuses the user name or the password (407)";
  }
  if (answered == 403) {
    return "it does not allow connections to there (403)";
  }
  if (answered > 0) {
    return "it made no connection to there: it answered " + std::to_string(answered);
  }
  switch (code) {
    case CURLE_COULDNT_RESOLVE_PROXY:
      return "its name could not be resolved";
    case CURLE_COULDNT_CONNECT:
      return "it could not be reached";
    case CURLE_OPERATION_TIMEDOUT:
      return "it did not answer in time";
    default: {
      const std::string detail = Printable(error_text_.data());
      return detail.empty() ? curl_easy_strerror(static_cast<CURLcode>(code)) : detail;
    }
  }
}

std::string Transfer::Message(Transport transport, int code, const Progress& progress) const {
  std::string text = where_ + ": " + std::string(Name(transport)) + ": ";
  const std::string detail = Printable(error_text_.data());
  if (transport == Transport::kProxy) {
    text += "the proxy " + proxy_where_ + ": " + ProxyFailure(code);
  } else if (resend_refused_) {
    text += "a connection kept from earlier was lost";
  } else {
    text += detail.empty() ? curl_easy_strerror(static_cast<CURLcode>(code)) : detail;
  }
  if (!progress.sent_any()) {
    return text + "; nothing of the request was sent";
  }
  if (!progress.sent_all()) {
    text += "; " + std::to_string(progress.body_sent) + " of " + std::to_string(progress.body_size) +
            " body bytes were sent";
  } else {
    text += "; the whole request was sent";
  }
  return progress.status == 0 ? text : text + ", and a reply with status " + std::to_string(progress.status) + " began";
}

Response Transfer::Finish(int code) {
  const Progress progress = Measure(code);
  if (!request_.only_connect && code == CURLE_OK && !progress.headers_done) {
    code = CURLE_PARTIAL_FILE;  // libcurl takes a head that was cut short for a whole one
  }
  Response& response = response_;
  curl_off_t elapsed = 0;
  long version = 0;
  curl_easy_getinfo(handle_, CURLINFO_TOTAL_TIME_T, &elapsed);
  curl_easy_getinfo(handle_, CURLINFO_HTTP_VERSION, &version);
  response.elapsed = std::chrono::microseconds(elapsed);
  response.http_version = VersionName(version);
  response.bytes_sent = progress.head_sent + progress.body_sent;
  // Ended at our bounds: what came first still says what happened. The same holds for a refusal (413 is the usual one)
  // from a server that hangs up instead of reading the rest of the request.
  const bool refused_early = progress.headers_done && progress.status >= 400 && !progress.sent_all();
  if (code != CURLE_OK && ((cut_ && response.status >= 200) || refused_early)) {
    response.truncated = true;
  } else {
    response.transport = Judge(code, progress, error_text_.data());
  }
  if (response.transport != Transport::kOk) {
    response.error = Message(response.transport, code, progress);
    response.status = 0;
    response.headers.clear();
    response.body.clear();
  } else {
    Decode();
  }
  response.connection = use_.number;
  response.certificate_ends = ChainEnds(handle_);
  Release(response);
  return std::move(response);
}

Response Transfer::Failed(const Error& error) {
  Response response;
  response.transport = Transport::kLocal;
  response.error = error.message;
  return response;
}

}  // namespace packhorse::upload
