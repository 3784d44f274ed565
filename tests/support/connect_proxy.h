#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "support/http/server.h"

namespace packhorse::test {

// A proxy on 127.0.0.1 that makes connections for others (HTTP CONNECT). Every name leads to 127.0.0.1, so that a test
// sees who resolves it.
class ConnectProxy {
 public:
  struct Options {
    std::string username = {};  // not empty: it wants these two
    std::string password = {};
    std::string answer = {};                          // "502 Bad Gateway": to everybody, instead of a connection
    bool silent = false;                              // never answers
    std::shared_ptr<http::TlsContext> tls = nullptr;  // an https:// proxy
  };

  explicit ConnectProxy(Options options);
  ConnectProxy() : ConnectProxy(Options()) {}
  ~ConnectProxy();
  ConnectProxy(const ConnectProxy&) = delete;
  ConnectProxy& operator=(const ConnectProxy&) = delete;

  std::string url() const;  // http://127.0.0.1:port, or https:// with TLS
  // "host:port" of each CONNECT so far.
  std::vector<std::string> asked() const;
  // The heads of these requests.
  std::vector<std::string> heads() const;

 private:
  void Serve(http::Connection& client);

  Options options_;
  mutable std::mutex mutex_;
  std::vector<std::string> asked_;  // guarded by mutex_
  std::vector<std::string> heads_;  // guarded by mutex_
  http::Server server_;
  std::thread thread_;
};

}  // namespace packhorse::test
