#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/file.h"

namespace packhorse::test {

// One accepted connection in the hands of a script. A thread of its own; not thread-safe.
class ScriptedConnection {
 public:
  // `record` is told of each complete request.
  ScriptedConnection(Fd fd, const std::atomic<bool>& stop, std::function<void(const std::string&)> record)
      : fd_(std::move(fd)), stop_(stop), record_(std::move(record)) {}

  // The next request with its body (by Content-Length), as received. Empty when the peer closed before it was complete
  // or the server is stopping; what had come by then is in partial().
  std::string ReadRequest();
  const std::string& partial() const { return buffer_; }
  // Reads until at least `bytes` have come in all; false when the peer closed.
  bool ReadAtLeast(std::size_t bytes);
  // False when the peer is gone.
  bool Write(const std::string& bytes);
  // One byte per interval; false when the peer is gone or the server is stopping.
  bool Trickle(const std::string& bytes, std::chrono::milliseconds interval);
  // Reads and forgets until nothing has come for `quiet`.
  void Discard(std::chrono::milliseconds quiet);
  // Does nothing until the peer closes or the server is stopping.
  void Stall();
  void Close() { fd_.Close(); }
  // Ends with RST instead of FIN (SO_LINGER 0).
  void Reset();

 private:
  // Waits for bytes, takes what is there; false at the end of the stream.
  bool Fill();

  Fd fd_;
  const std::atomic<bool>& stop_;
  std::function<void(const std::string&)> record_;
  std::string buffer_;
};

// A raw HTTP/1.1 server on 127.0.0.1 for the replies that no real server gives. Each connection runs the script on a
// thread of its own, with its number (0, 1, ...), and is closed when the script returns. Requests are recorded.
class ScriptedServer {
 public:
  using Script = std::function<void(ScriptedConnection& connection, int number)>;

  // On another address of loopback, or on a port that another one uses there, when the caller says so.
  explicit ScriptedServer(Script script, const std::string& address = "127.0.0.1", int port = 0);
  ~ScriptedServer();
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  int port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  int connections() const { return connections_; }
  // Complete requests so far, of all connections, in the order in which their last byte came.
  std::vector<std::string> requests() const;

  // For the most common script: every request on every connection gets these bytes, and the connection stays open.
  static Script Always(std::string reply);
  // "HTTP/1.1 <status>" with Content-Length and this body.
  static std::string Reply(const std::string& status, const std::string& body, const std::string& headers = "");

 private:
  void Accept();

  Script script_;
  Fd listener_;
  int port_ = 0;
  std::atomic<bool> stop_{false};
  std::atomic<int> connections_{0};
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;  // guarded by mutex_
  std::vector<std::thread> workers_;   // acceptor thread only, until it has ended
  std::thread acceptor_;
};

}  // namespace packhorse::test
