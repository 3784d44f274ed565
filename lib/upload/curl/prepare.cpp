// How every request is set up. Each option that differs from libcurl's default has its reason beside it.
#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <climits>
#include <memory>

#include "base/text.h"
#include "base/url.h"
#include "upload/curl/no_proxy.h"
#include "upload/curl/transfer.h"

namespace packhorse::upload {
namespace {

constexpr std::size_t kMaxRequestHeaders = 100;
constexpr std::size_t kMaxHeaderNameBytes = 256;
// A NAT that forgets an idle connection after ten seconds is among the shortest that are met.
constexpr long kKeepAliveSeconds = 8;
constexpr long kNameCacheSeconds = 60;
// Parsing the system's store costs a gateway tens of milliseconds. A configured file is small and read every time, so
// that a mended one is used at once.
constexpr long kSystemStoreCacheSeconds = 600;

// Sets options until the first failure, which it keeps.
class Setter {
 public:
  explicit Setter(CURL* handle) : handle_(handle) {}

  template <typename T>
  Setter& Set(CURLoption option, T value) {
    if (code_ == CURLE_OK) {
      code_ = curl_easy_setopt(handle_, option, value);
    }
    return *this;
  }

  Status Check(const char* what) const {
    if (code_ == CURLE_OK) {
      return {};
    }
    return Error{ErrorCode::kUnsupported,
                 std::string("libcurl refuses the ") + what + ": " + curl_easy_strerror(code_)};
  }

 private:
  CURL* handle_;
  CURLcode code_ = CURLE_OK;
};

// libcurl counts time-outs in a long, and 0 would mean "none".
long Milliseconds(std::chrono::milliseconds time) {
  return static_cast<long>(std::clamp<std::int64_t>(time.count(), 1, INT_MAX));
}

// One part of a parsed URL; empty where it has none.
std::string Part(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK || text == nullptr) {
    return {};
  }
  std::string copy(text);
  curl_free(text);
  return copy;
}

Status CheckHeader(const std::string& name, const std::string& value) {
  if (name.size() > kMaxHeaderNameBytes || !IsToken(name)) {
    return Error{ErrorCode::kInvalidArgument, "a request header has an invalid name"};
  }
  // These belong to the connection; a second one would break the framing of the request.
  constexpr std::array<std::string_view, 5> kOurs = {"host", "content-length", "transfer-encoding", "connection",
                                                     "expect"};
  if (std::find(kOurs.begin(), kOurs.end(), Lower(name)) != kOurs.end()) {
    return Error{ErrorCode::kInvalidArgument, "the request header " + name + " cannot be set"};
  }
  if (value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
    return Error{ErrorCode::kInvalidArgument, "the value of request header " + name + " contains a line break or NUL"};
  }
  return {};
}

// A pin in another form would be taken as the name of a key file.
bool IsPin(const std::string& pin) {
  constexpr std::string_view kPrefix = "sha256//";
  return pin.size() == kPrefix.size() + 44 && pin.compare(0, kPrefix.size(), kPrefix) == 0 &&
         std::all_of(pin.begin() + kPrefix.size(), pin.end(),
                     [](char c) { return IsAlnum(c) || c == '+' || c == '/' || c == '='; });
}

}  // namespace

Status Transfer::Prepare(const std::string& user_agent) {
  if (handle_ == nullptr) {
    return Error{ErrorCode::kInternal, "libcurl cannot make a handle (out of memory?)"};
  }
  Status done = CheckUrl();
  if (done) {
    done = SetMethod();
  }
  if (done) {
    done = SetHeaders(user_agent);
  }
  if (done && https_) {
    done = SetTls();
  }
  if (done) {
    done = SetLimits();
  }
  if (done) {
    done = SetProxy();
  }
  if (done) {
    done = SetBind();
  }
  return done ? SetConnection() : done;
}

// Messages here say nothing of the URL: it may hold what somebody pasted into it.
Status Transfer::CheckUrl() {
  if (!request_.path.empty() && request_.path.front() != '/' && request_.path.front() != '?') {
    return Error{ErrorCode::kInvalidArgument, "the request path does not begin with '/'"};
  }
  url_ = endpoint_.base_url + request_.path;
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> url(curl_url(), &curl_url_cleanup);
  if (!url) {
    return Error{ErrorCode::kInternal, "libcurl cannot parse a URL (out of memory?)"};
  }
  // The base alone first: joined, libcurl would take the beginning of the path for a host that the base lacks.
  CURLUcode code = curl_url_set(url.get(), CURLUPART_URL, endpoint_.base_url.c_str(), 0);
  if (code == CURLUE_OK) {
    code = curl_url_set(url.get(), CURLUPART_URL, url_.c_str(), 0);
  }
  if (code != CURLUE_OK) {
    return Error{ErrorCode::kInvalidArgument, std::string("the URL is not usable: ") + curl_url_strerror(code)};
  }
  const std::string scheme = Part(url.get(), CURLUPART_SCHEME);
  https_ = scheme == "https";
  if (!https_ && scheme != "http") {
    return Error{ErrorCode::kInvalidArgument, "the URL is neither http:// nor https://"};
  }
  if (!Part(url.get(), CURLUPART_USER).empty() || !Part(url.get(), CURLUPART_PASSWORD).empty()) {
    return Error{ErrorCode::kInvalidArgument, "the URL contains a user name or password; configure them as \"auth\""};
  }
  host_ = Part(url.get(), CURLUPART_HOST);
  where_ = host_ + ":" + Part(url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
  origin_ = scheme + "://" + where_;
  return Setter(handle_)
      .Set(CURLOPT_URL, url_.c_str())
      .Set(CURLOPT_PATH_AS_IS, 1L)  // what was rendered and signed is what is sent
      .Set(CURLOPT_PROTOCOLS_STR, "http,https")
      .Set(CURLOPT_FOLLOWLOCATION, 0L)  // a redirect is an answer; following one would send secrets elsewhere
      .Check("URL options");
}

Status Transfer::SetMethod() {
  const std::string& method = request_.method;
  if (!IsToken(method)) {
    return Error{ErrorCode::kInvalidArgument, "the request method is invalid"};
  }
  Setter setter(handle_);
  if (!request_.body.empty() || method == "POST" || method == "PUT" || method == "PATCH") {
    // The body is fetched by callback, not handed over whole, because only then libcurl asks before it sends a request
    // again by itself (OnSeek).
    setter.Set(CURLOPT_POST, 1L)
        .Set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()))
        .Set(CURLOPT_READFUNCTION, &Transfer::OnRead)
        .Set(CURLOPT_READDATA, static_cast<void*>(this))
        .Set(CURLOPT_SEEKFUNCTION, &Transfer::OnSeek)
        .Set(CURLOPT_SEEKDATA, static_cast<void*>(this));
  } else {
    setter.Set(method == "HEAD" ? CURLOPT_NOBODY : CURLOPT_HTTPGET, 1L);
  }
  return setter.Set(CURLOPT_CUSTOMREQUEST, method.c_str()).Check("method");
}

Status Transfer::AddHeader(const std::string& line) {
  curl_slist* longer = curl_slist_append(headers_, line.c_str());
  if (longer == nullptr) {
    return Error{ErrorCode::kInternal, "out of memory for request headers"};
  }
  headers_ = longer;
  return {};
}

Status Transfer::SetHeaders(const std::string& user_agent) {
  if (request_.headers.size() > kMaxRequestHeaders) {
    return Error{ErrorCode::kLimitExceeded, "a request has more than 100 headers"};
  }
  bool has_type = false;
  for (const auto& [name, value] : request_.headers) {
    RETURN_IF_ERROR(CheckHeader(name, value));
    has_type = has_type || Lower(name) == "content-type";
    // libcurl's form of a header without a value is "Name;".
    RETURN_IF_ERROR(AddHeader(value.empty() ? name + ";" : name + ": " + value));
  }
  // "Name:" takes out what libcurl adds by itself: a pause of a second for servers that do not know "100-continue", and
  // a form's content type.
  Status added = AddHeader("Expect:");
  if (added && !has_type) {
    added = AddHeader("Content-Type:");
  }
  RETURN_IF_ERROR(added);
  return Setter(handle_)
      .Set(CURLOPT_HTTPHEADER, headers_)
      .Set(CURLOPT_USERAGENT, user_agent.c_str())
      // Decoded by us: libcurl would give up a reply whose coding it does not know, and the body with it.
      .Set(CURLOPT_ACCEPT_ENCODING, "gzip")
      .Set(CURLOPT_HTTP_CONTENT_DECODING, 0L)
      .Set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS))
      .Check("headers");
}

Status Transfer::SetTls() {
  Setter setter(handle_);
  setter.Set(CURLOPT_SSL_VERIFYPEER, 1L)
      .Set(CURLOPT_SSL_VERIFYHOST, 2L)
      .Set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2))
      .Set(CURLOPT_CERTINFO, 1L)  // for warnings before they end
      .Set(CURLOPT_PIPEWAIT, 1L)  // one HTTP/2 connection instead of one per request at the start
      .Set(CURLOPT_CA_CACHE_TIMEOUT, endpoint_.ca.empty() ? kSystemStoreCacheSeconds : 0L);
  if (!endpoint_.ca.empty()) {
    // Both, because the folder of the system's store is a default of its own and would be trusted beside the file.
    setter.Set(CURLOPT_CAINFO, endpoint_.ca.c_str()).Set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
  }
  if (!endpoint_.certificate.empty()) {
    setter.Set(CURLOPT_SSLCERT, endpoint_.certificate.c_str());
  }
  if (!endpoint_.key.empty()) {
    setter.Set(CURLOPT_SSLKEY, endpoint_.key.c_str());
  }
  std::string pins;
  for (const std::string& pin : endpoint_.pins) {
    if (!IsPin(pin)) {
      return Error{ErrorCode::kInvalidArgument, "a pin is not \"sha256//\" with the base64 form of 32 bytes: " + pin};
    }
    pins += pins.empty() ? pin : ";" + pin;
  }
  if (!pins.empty()) {
    setter.Set(CURLOPT_PINNEDPUBLICKEY, pins.c_str());
  }
  return setter.Check("TLS options");
}

Status Transfer::SetLimits() {
  const auto stall = std::chrono::ceil<std::chrono::seconds>(endpoint_.stall_timeout).count();
  return Setter(handle_)
      .Set(CURLOPT_CONNECTTIMEOUT_MS, Milliseconds(endpoint_.connect_timeout))
      .Set(CURLOPT_TIMEOUT_MS, Milliseconds(endpoint_.timeout))
      .Set(CURLOPT_LOW_SPEED_LIMIT, 1L)
      .Set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(std::clamp<std::int64_t>(stall, 1, INT_MAX)))
      .Set(CURLOPT_NOSIGNAL, 1L)
      // A name look-up that hangs runs on a thread of libcurl's. Without this a time-out would wait for that thread and
      // stop the loop for as long as the resolver takes; with it the thread ends, and cleans up, on its own.
      .Set(CURLOPT_QUICK_EXIT, 1L)
      .Set(CURLOPT_ERRORBUFFER, error_text_.data())
      .Set(CURLOPT_HEADERFUNCTION, &Transfer::OnHeader)
      .Set(CURLOPT_HEADERDATA, static_cast<void*>(this))
      .Set(CURLOPT_WRITEFUNCTION, &Transfer::OnBody)
      .Set(CURLOPT_WRITEDATA, static_cast<void*>(this))
      .Set(CURLOPT_PRIVATE, static_cast<void*>(this))
      .Check("limits");
}

Status Transfer::SetProxy() {
  const Proxy& proxy = endpoint_.proxy;
  Setter setter(handle_);
  // Neither a proxy nor exceptions from one out of the environment of the machine.
  setter.Set(CURLOPT_PROXY, "").Set(CURLOPT_NOPROXY, "");
  if (proxy.url.empty() || WithoutProxy(host_, proxy.no_proxy)) {
    return setter.Check("proxy options");
  }
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> url(curl_url(), &curl_url_cleanup);
  const bool parsed = url && curl_url_set(url.get(), CURLUPART_URL, proxy.url.c_str(), 0) == CURLUE_OK;
  const std::string scheme = parsed ? Part(url.get(), CURLUPART_SCHEME) : "";
  if ((scheme != "http" && scheme != "https") || !Part(url.get(), CURLUPART_USER).empty()) {
    return Error{ErrorCode::kInvalidArgument, "the URL of the proxy is not usable"};
  }
  // With its port: libcurl's own default for a proxy is another one.
  proxy_where_ = Part(url.get(), CURLUPART_HOST) + ":" + Part(url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
  proxy_url_ = scheme + "://" + proxy_where_;
  origin_ += " by " + proxy_url_;
  setter.Set(CURLOPT_PROXY, proxy_url_.c_str())
      .Set(CURLOPT_HTTPPROXYTUNNEL, 1L)
      .Set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L)  // what the proxy says is no reply of the other side
      .Set(CURLOPT_PROXY_SSL_VERIFYPEER, 1L)
      .Set(CURLOPT_PROXY_SSL_VERIFYHOST, 2L)
      .Set(CURLOPT_PROXY_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!proxy.ca.empty()) {
    setter.Set(CURLOPT_PROXY_CAINFO, proxy.ca.c_str()).Set(CURLOPT_PROXY_CAPATH, static_cast<const char*>(nullptr));
  }
  if (!proxy.username.empty()) {
    setter.Set(CURLOPT_PROXYAUTH, static_cast<long>(CURLAUTH_BASIC))
        .Set(CURLOPT_PROXYUSERNAME, proxy.username.c_str())
        .Set(CURLOPT_PROXYPASSWORD, proxy.password.c_str());
  }
  return setter.Check("proxy options");
}

// Without the prefix libcurl would take the name of an interface that is not there for a host, and ask for it.
Status Transfer::SetBind() {
  if (endpoint_.bind.empty()) {
    return {};
  }
  bind_ = (IsAddress(endpoint_.bind) ? "host!" : "if!") + endpoint_.bind;
  origin_ += " from " + endpoint_.bind;
  return Setter(handle_).Set(CURLOPT_INTERFACE, bind_.c_str()).Check("address to bind to");
}

Status Transfer::SetConnection() {
  if (request_.leave_kept) {
    connections_.Retire(origin_);
  }
  use_ = connections_.Begin(origin_);
  released_ = false;
  // After a failure libcurl's own cache of names would lead to the same machine again for a minute, and the first of
  // several addresses always to the same one.
  const bool distrusted = connections_.Distrusted(origin_);
  return Setter(handle_)
      .Set(CURLOPT_DNS_CACHE_TIMEOUT, distrusted ? 0L : kNameCacheSeconds)
      .Set(CURLOPT_DNS_SHUFFLE_ADDRESSES, distrusted ? 1L : 0L)
      .Set(CURLOPT_SHARE, sessions_.get())
      .Set(CURLOPT_OPENSOCKETFUNCTION, &Connections::OnOpen)
      .Set(CURLOPT_OPENSOCKETDATA, static_cast<void*>(&connections_))
      .Set(CURLOPT_CLOSESOCKETFUNCTION, &Connections::OnClose)
      .Set(CURLOPT_CLOSESOCKETDATA, static_cast<void*>(&connections_))
      .Set(CURLOPT_PREREQFUNCTION, &Transfer::OnConnection)
      .Set(CURLOPT_PREREQDATA, static_cast<void*>(this))
      .Set(CURLOPT_FRESH_CONNECT, request_.new_connection || request_.leave_kept || request_.only_connect ? 1L : 0L)
      .Set(CURLOPT_CONNECT_ONLY, request_.only_connect ? 1L : 0L)
      .Set(CURLOPT_MAXAGE_CONN, static_cast<long>(connections_.IdleLimit(origin_).count()))
      .Set(CURLOPT_TCP_KEEPALIVE, 1L)
      .Set(CURLOPT_TCP_KEEPIDLE, kKeepAliveSeconds)
      .Set(CURLOPT_TCP_KEEPINTVL, kKeepAliveSeconds)
      .Check("connection options");
}

}  // namespace packhorse::upload
