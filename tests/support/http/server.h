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

#include "base/file.h"
#include "base/result.h"
#include "support/http/connection.h"
#include "support/http/message.h"

namespace packhorse::http {

struct ServerOptions {
  std::string address = "127.0.0.1";
  int port = 0;         // 0: the kernel chooses
  int admin_port = -1;  // a second listener that a "down" does not close; -1: none, 0: kernel chooses
  std::shared_ptr<TlsContext> tls = nullptr;  // plain HTTP
  std::size_t max_connections = 256;
};

// HTTP/1.1 over blocking sockets, one thread per connection (at most 256, further ones are closed), keep-alive, a body
// only with Content-Length, Expect: 100-continue. Run() is called once, on one thread; Stop() from any.
class Server {
 public:
  using Handler = std::function<Reply(const Request&)>;  // called by many threads at once, as the next one
  // Has a connection for itself, with its number (0, 1, ...), until it returns.
  using Conversation = std::function<void(Connection&, int)>;

  // `handler` answers; `max_body_bytes` is asked once per request, before its body is read; while `down` says true the
  // listener is closed and every connection cut.
  Server(ServerOptions options, Handler handler, std::function<std::uint64_t(const Request&)> max_body_bytes,
         std::function<bool()> down);
  // Reads and writes nothing itself.
  Server(ServerOptions options, Conversation conversation);

  // Binds. kAlreadyExists when the port is taken.
  Status Open();
  int port() const { return options_.port; }
  int admin_port() const { return options_.admin_port; }
  // Accepted so far.
  int connections() const { return connections_; }

  // Serves until Stop(); then lets the running requests finish. Conversations are cut: nobody knows when they would
  // end.
  void Run();
  // Async-signal-safe.
  void Stop();

 private:
  void AcceptFrom(const Fd& listener);
  void ApplyDown(bool down);
  void ServeConnection(Fd fd, int number);
  bool ServeOne(Connection& connection);
  bool Send(Connection& connection, const Reply& reply, bool keep_alive);
  void ShutdownConnections(int how);
  void Drain();

  ServerOptions options_;
  Handler handler_;
  std::function<std::uint64_t(const Request&)> max_body_bytes_;
  std::function<bool()> down_;
  Conversation conversation_;  // answers requests by `handler_` where the caller gave none
  Fd listener_;
  Fd admin_listener_;
  Fd wake_;
  std::atomic<bool> stopping_{false};
  std::atomic<int> connections_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<int> open_;       // descriptors of the open connections; guarded by mutex_
  std::size_t running_ = 0;  // connection threads; guarded by mutex_
};

}  // namespace packhorse::http
