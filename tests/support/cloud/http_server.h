#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "connection.h"
#include "http_message.h"

namespace packhorse::cloud {

struct ServerOptions {
  std::string address = "127.0.0.1";
  int port = 0;                     // 0: the kernel chooses
  int admin_port = -1;              // a second listener that a "down" does not close; -1: none, 0: kernel chooses
  std::shared_ptr<TlsContext> tls;  // null: plain HTTP
  std::size_t max_connections = 256;
};

// HTTP/1.1 over blocking sockets, one thread per connection (at most 256, further ones are closed), keep-alive, a body
// only with Content-Length, Expect: 100-continue. Run() is called once, on one thread; Stop() from any.
class HttpServer {
 public:
  using Handler = std::function<Reply(const Request&)>;  // called by many threads at once

  // `handler` answers; `max_body_bytes` is asked once per request, before its body
  // is read; while `down` says true the listener is closed and every
  // connection cut.
  HttpServer(ServerOptions options, Handler handler, std::function<std::uint64_t(const Request&)> max_body_bytes,
             std::function<bool()> down);
  ~HttpServer();

  // Binds. kAlreadyExists when the port is taken.
  Status Open();
  int port() const { return options_.port; }
  int admin_port() const { return options_.admin_port; }

  // Serves until Stop(); then lets the running requests finish.
  void Run();
  // Async-signal-safe.
  void Stop();

 private:
  void AcceptFrom(const Fd& listener);
  void ApplyDown(bool down);
  void ServeConnection(Fd fd);
  bool ServeOne(Connection& connection, std::string& buffer);
  bool ReadBody(Connection& connection, std::string& buffer, std::uint64_t length, std::string& body);
  bool Send(Connection& connection, const Reply& reply, bool keep_alive);
  void ShutdownConnections(int how);
  void Drain();

  ServerOptions options_;
  Handler handler_;
  std::function<std::uint64_t(const Request&)> max_body_bytes_;
  std::function<bool()> down_;
  Fd listener_;
  Fd admin_listener_;
  Fd wake_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<int> open_;       // descriptors of the open connections; guarded by mutex_
  std::size_t running_ = 0;  // connection threads; guarded by mutex_
};

}  // namespace packhorse::cloud
