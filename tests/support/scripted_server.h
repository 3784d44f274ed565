#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/http/server.h"

namespace packhorse::test {

// One connection in the hands of a script. A thread of its own; not thread-safe. It ends with the script, or with the
// server: then nothing comes any more, and nothing can be written.
class ScriptedConnection {
 public:
  // `record` is told of each complete request.
  ScriptedConnection(http::Connection& connection, std::function<void(const std::string&)> record)
      : connection_(connection), record_(std::move(record)) {}

  // The next request with its body (by Content-Length), as received. Empty when the peer closed before it was complete.
  std::string ReadRequest();
  // Reads until at least `bytes` have come in all; false when the peer closed.
  bool ReadAtLeast(std::size_t bytes) { return connection_.FillTo(bytes); }
  // False when the peer is gone.
  bool Write(const std::string& bytes) { return connection_.Write(bytes); }
  // One byte per interval; false when the peer is gone.
  bool Trickle(const std::string& bytes, std::chrono::milliseconds interval);
  // Reads and forgets until nothing has come for `quiet`.
  void Discard(std::chrono::milliseconds quiet);
  // Does nothing until the peer closes.
  void Stall();
  // Tells the peer at once, before the script has ended.
  void Close();
  // Ends with RST instead of FIN, as soon as the script returns.
  void Reset() { connection_.Reset(); }

 private:
  http::Connection& connection_;
  std::function<void(const std::string&)> record_;
};

// An HTTP/1.1 server on 127.0.0.1 for the replies that no real server gives. Each connection runs the script on a
// thread of its own, with its number (0, 1, ...), and is closed when the script returns. Requests are recorded.
class ScriptedServer {
 public:
  using Script = std::function<void(ScriptedConnection& connection, int number)>;

  // On another address of loopback, or on a port that another one uses there, when the caller says so.
  explicit ScriptedServer(Script script, const std::string& address = "127.0.0.1", int port = 0);
  ~ScriptedServer();
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  int port() const { return server_.port(); }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port()); }
  int connections() const { return server_.connections(); }
  // Complete requests so far, of all connections, in the order in which their last byte came.
  std::vector<std::string> requests() const;

  // For the most common script: every request on every connection gets these bytes, and the connection stays open.
  static Script Always(std::string reply);
  // "HTTP/1.1 <status>" with Content-Length and this body.
  static std::string Reply(const std::string& status, const std::string& body, const std::string& headers = "");

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;  // guarded by mutex_
  http::Server server_;
  std::thread thread_;
};

}  // namespace packhorse::test
