#include <curl/curl.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "upload/curl/tls_sessions.h"
#include "upload/curl/transfer.h"
#include "upload/uploader.h"

namespace packhorse::upload {
namespace {

constexpr std::size_t kMaxInFlight = 256;
constexpr std::size_t kMaxFds = 32;
constexpr long kMaxIdleConnections = 64;
// Not below what a destination may have in flight: what libcurl holds back counts towards its timeout.
constexpr long kMaxConnectionsPerHost = 64;
constexpr long kMaxStreams = 100;  // on one connection; libcurl's own default
constexpr int kMaxWaitMs = 60'000;

Error MultiError(const char* what, CURLMcode code) {
  return Error{ErrorCode::kInternal, std::string(what) + ": " + curl_multi_strerror(code)};
}

// Rounded up, so that the loop does not spin through the last millisecond.
int WaitMs(MonoTime deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, kMaxWaitMs));
}

class CurlUploader final : public Uploader {
 public:
  CurlUploader(CURLM* multi, std::string user_agent) : multi_(multi), user_agent_(std::move(user_agent)) {}
  ~CurlUploader() override {
    Abort();
    curl_multi_cleanup(multi_);
  }
  CurlUploader(const CurlUploader&) = delete;
  CurlUploader& operator=(const CurlUploader&) = delete;

  void Send(const Endpoint& endpoint, Request request, std::function<void(Response)> done) override;
  Result<std::uint32_t> Poll(const std::vector<int>& fds, MonoTime deadline) override;
  std::size_t in_flight() const override { return running_.size() + finished_.size(); }
  void Wake() override { curl_multi_wakeup(multi_); }
  void Abort() override;

 private:
  struct Finished {
    std::function<void(Response)> done;
    Response response;
  };

  Status Start(Transfer& transfer);
  Status Perform();
  void End(std::unique_ptr<Transfer> transfer, int code);
  Status ShareConnections();
  // Runs the callbacks of everything that has ended; how many there were.
  std::size_t RunCallbacks();
  Result<std::uint32_t> Wait(const std::vector<int>& fds, int timeout_ms);

  CURLM* const multi_;
  const std::string user_agent_;
  Connections connections_;
  TlsSessions sessions_;
  std::map<void*, std::unique_ptr<Transfer>> running_;
  std::deque<Finished> finished_;
  bool polling_ = false;
  long streams_ = kMaxStreams;
};

void CurlUploader::Send(const Endpoint& endpoint, Request request, std::function<void(Response)> done) {
  if (sessions_.FilesChanged(endpoint)) {
    connections_.RetireAll();
  }
  auto transfer =
      std::make_unique<Transfer>(endpoint, std::move(request), connections_, sessions_.share(), std::move(done));
  if (const Status started = Start(*transfer); !started) {
    finished_.push_back({std::move(transfer->done()), Transfer::Failed(started.error())});
    return;
  }
  running_.emplace(transfer->handle(), std::move(transfer));
}

Status CurlUploader::Start(Transfer& transfer) {
  if (in_flight() >= kMaxInFlight) {
    return Error{ErrorCode::kLimitExceeded, "256 requests are in flight already"};
  }
  RETURN_IF_ERROR(transfer.Prepare(user_agent_));
  if (const CURLMcode code = curl_multi_add_handle(multi_, transfer.handle()); code != CURLM_OK) {
    return MultiError("start a request", code);
  }
  return {};
}

Status CurlUploader::Perform() {
  int running = 0;
  if (const CURLMcode code = curl_multi_perform(multi_, &running); code != CURLM_OK) {
    return MultiError("drive transfers", code);
  }
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) {
      continue;
    }
    const auto found = running_.find(message->easy_handle);
    const CURLcode result = message->data.result;  // the message dies with curl_multi_remove_handle
    if (found == running_.end()) {
      return Error{ErrorCode::kInternal, "libcurl reports a transfer that was not started"};
    }
    std::unique_ptr<Transfer> transfer = std::move(found->second);
    running_.erase(found);
    End(std::move(transfer), result);
  }
  return ShareConnections();
}

void CurlUploader::End(std::unique_ptr<Transfer> transfer, int code) {
  if (transfer->wants_another_connection()) {
    curl_multi_remove_handle(multi_, transfer->handle());
    transfer->TakeNewConnection();
    if (curl_multi_add_handle(multi_, transfer->handle()) == CURLM_OK) {
      running_.emplace(transfer->handle(), std::move(transfer));
      return;
    }
  }
  Response response = transfer->Finish(code);
  curl_multi_remove_handle(multi_, transfer->handle());
  finished_.push_back({std::move(transfer->done()), std::move(response)});
}

// While a retired connection still carries requests libcurl would choose it for further ones. One request at a time for
// each connection keeps them away from it, and still lets them share those that are idle.
Status CurlUploader::ShareConnections() {
  const long streams = connections_.Draining() ? 1 : kMaxStreams;
  if (streams == streams_) {
    return {};
  }
  streams_ = streams;
  const CURLMcode code = curl_multi_setopt(multi_, CURLMOPT_MAX_CONCURRENT_STREAMS, streams);
  return code == CURLM_OK ? Status{} : MultiError("set up libcurl", code);
}

std::size_t CurlUploader::RunCallbacks() {
  // Only those that have ended by now: a callback that sends a hopeless request must not keep this going.
  std::size_t due = finished_.size();
  std::size_t count = 0;
  for (; due > 0 && !finished_.empty(); --due, ++count) {
    Finished next = std::move(finished_.front());
    finished_.pop_front();
    if (next.done) {
      next.done(std::move(next.response));
    }
  }
  return count;
}

Result<std::uint32_t> CurlUploader::Wait(const std::vector<int>& fds, int timeout_ms) {
  std::vector<curl_waitfd> extra;
  std::vector<pollfd> polled;
  for (const int fd : fds) {
    extra.push_back({fd, CURL_WAIT_POLLIN, 0});
    polled.push_back({fd, POLLIN, 0});
  }
  const CURLMcode code =
      curl_multi_poll(multi_, extra.data(), static_cast<unsigned>(extra.size()), timeout_ms, nullptr);
  if (code != CURLM_OK) {
    return MultiError("wait for transfers", code);
  }
  // Asked once more, because libcurl passes on POLLIN only: a descriptor that hangs up without data would end every
  // wait and never be named.
  if (poll(polled.data(), polled.size(), 0) < 0 && errno != EINTR) {
    return ErrnoError("poll", errno);
  }
  std::uint32_t ready = 0;
  for (std::size_t i = 0; i < polled.size(); ++i) {
    ready |= polled[i].revents != 0 ? 1U << i : 0U;
  }
  return ready;
}

Result<std::uint32_t> CurlUploader::Poll(const std::vector<int>& fds, MonoTime deadline) {
  if (fds.size() > kMaxFds) {
    return Error{ErrorCode::kLimitExceeded, "more than 32 descriptors to poll"};
  }
  if (polling_) {
    return Error{ErrorCode::kInternal, "Poll() was called by a callback of Poll()"};
  }
  polling_ = true;
  Status performed = Perform();
  const bool anything = RunCallbacks() > 0;
  Result<std::uint32_t> ready = Wait(fds, anything || !performed ? 0 : WaitMs(deadline));
  if (performed) {
    performed = Perform();
  }
  RunCallbacks();
  polling_ = false;
  RETURN_IF_ERROR(performed);
  return ready;
}

void CurlUploader::Abort() {
  for (const auto& [handle, transfer] : running_) {
    curl_multi_remove_handle(multi_, handle);
  }
  running_.clear();
  finished_.clear();
}

Status CheckLibrary() {
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);  // once per process, by any thread
  if (initialised != CURLE_OK) {
    return Error{ErrorCode::kUnavailable, std::string("libcurl cannot start: ") + curl_easy_strerror(initialised)};
  }
  constexpr unsigned kOldest = 0x075700;  // 7.87.0, for CURLOPT_QUICK_EXIT and CURLOPT_CA_CACHE_TIMEOUT
  constexpr int kNeeded = CURL_VERSION_SSL | CURL_VERSION_LIBZ | CURL_VERSION_ASYNCHDNS | CURL_VERSION_THREADSAFE;
  const curl_version_info_data* version = curl_version_info(CURLVERSION_NOW);
  if (version->version_num < kOldest || (version->features & kNeeded) != kNeeded) {
    return Error{ErrorCode::kUnavailable,
                 std::string("libcurl ") + version->version +
                     " is not usable: 7.87 or newer with TLS, zlib, threads and an asynchronous "
                     "resolver is needed"};
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Uploader>> MakeUploader(std::string user_agent) {
  if (user_agent.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
    return Error{ErrorCode::kInvalidArgument, "the user agent contains a line break or NUL"};
  }
  RETURN_IF_ERROR(CheckLibrary());
  CURLM* multi = curl_multi_init();
  if (multi == nullptr) {
    return Error{ErrorCode::kUnavailable, "libcurl cannot make a multi handle (out of memory?)"};
  }
  auto uploader = std::make_unique<CurlUploader>(multi, std::move(user_agent));
  for (const auto& [option, value] : {std::pair{CURLMOPT_MAXCONNECTS, kMaxIdleConnections},
                                      std::pair{CURLMOPT_MAX_HOST_CONNECTIONS, kMaxConnectionsPerHost},
                                      std::pair{CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_MULTIPLEX)}}) {
    if (const CURLMcode code = curl_multi_setopt(multi, option, value); code != CURLM_OK) {
      return MultiError("set up libcurl", code);
    }
  }
  return std::unique_ptr<Uploader>(std::move(uploader));
}

}  // namespace packhorse::upload
