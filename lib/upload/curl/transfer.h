#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "upload/curl/connections.h"
#include "upload/curl/judge.h"
#include "upload/uploader.h"

struct curl_slist;

namespace packhorse::upload {

// One request on one libcurl easy handle: sets it up, collects the response within its bounds and tells what became of
// it. Loop thread. Neither copied nor moved: libcurl keeps pointers into it.
class Transfer {
 public:
  // `connections` outlives the transfer and libcurl's connections; `sessions`: a CURLSH.
  Transfer(Endpoint endpoint, Request request, Connections& connections, std::shared_ptr<void> sessions,
           std::function<void(Response)> done);
  ~Transfer();
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  // Makes the handle ready. The error is our own fault and says so without any secret.
  Status Prepare(const std::string& user_agent);
  // CURL*, which is void* to users of libcurl 7.
  void* handle() const { return handle_; }
  // The connection that libcurl had chosen was retired and nothing was sent: to be started again, over a new one.
  bool wants_another_connection() const { return refused_connection_; }
  void TakeNewConnection();
  // The response, once libcurl reports the end with this CURLcode.
  Response Finish(int code);
  // The response when Prepare() or the start failed.
  static Response Failed(const Error& error);
  std::function<void(Response)>& done() { return done_; }

 private:
  // Callbacks of libcurl; `self` is the transfer.
  static std::size_t OnHeader(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t OnBody(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t OnRead(char* buffer, std::size_t size, std::size_t count, void* self);
  static int OnSeek(void* self, std::int64_t offset, int origin);
  static int OnConnection(void* self, char* remote_ip, char* local_ip, int remote_port, int local_port);

  Status CheckUrl();
  Status SetMethod();
  Status SetHeaders(const std::string& user_agent);
  Status AddHeader(const std::string& line);
  Status SetTls();
  Status SetLimits();
  Status SetConnection();
  Status SetProxy();
  Status SetBind();
  bool TakeHeaderLine(std::string_view line);
  bool TakeBody(std::string_view bytes);
  void Release(const Response& response);
  // The body as it was before its Content-Encoding.
  void Decode();
  std::size_t HeadSent() const;
  Progress Measure(int code) const;
  // What the proxy said or did, for people; empty: the failure is not the proxy's.
  std::string ProxyFailure(int code) const;
  std::string Message(Transport transport, int code, const Progress& progress) const;

  const Endpoint endpoint_;
  const Request request_;
  Connections& connections_;
  std::function<void(Response)> done_;
  void* handle_ = nullptr;
  curl_slist* headers_ = nullptr;
  std::string url_;
  std::string host_;
  std::string where_;   // host:port, for messages: paths and queries may hold keys
  std::string origin_;  // with the scheme
  bool https_ = false;
  std::string proxy_url_;
  std::string proxy_where_;  // host:port; empty: none is used for this request
  std::string bind_;
  bool refused_connection_ = false;
  bool connected_ = false;       // there is a connection for the request, to the other side of a proxy too
  std::size_t head_before_ = 0;  // bytes that libcurl had sent by then: to the proxy
  bool released_ = true;
  Connections::Use use_;
  const std::shared_ptr<void> sessions_;
  std::vector<char> error_text_;  // libcurl writes into it
  std::size_t body_read_ = 0;     // bytes of the body that libcurl fetched
  bool resend_refused_ = false;   // see OnSeek
  std::size_t header_count_ = 0;  // of all responses, 1xx included
  std::size_t header_bytes_ = 0;
  std::size_t kept_header_bytes_ = 0;  // of the present one
  bool headers_done_ = false;          // of the final response; what comes later are trailers
  bool cut_ = false;                   // a bound was reached; the transfer is being ended for that
  Response response_;
};

}  // namespace packhorse::upload
