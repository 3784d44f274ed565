#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace packhorse::control {

// The local API between CLI and daemon: a Unix stream socket; one JSON object per line in both directions.
//   request:  {"command":"status","args":{...}}
//   reply:    {"ok":true,"result":...}   or   {"ok":false,"error":{"code":"not_found","message":"..."}}
// A following command (tail) gets any number of {"ok":true,"result":...,"more":true} lines until either side closes.
// Bounds: 16 connections (a further one gets an error and is closed), 4 of them for root and the service user, whose
// connections also take the place of one that lets us wait, followers first, the oldest before; 64 KiB and 32 levels
// per request, 16 MiB unsent per connection, 1 MiB where it follows (then it is closed), 32 MiB unsent in all; 30 s
// idle: without a request under way, following nothing, or not reading its answer. "packhorse-control" changes within a
// major stay backward compatible: members are added, never renamed.

struct Call {
  std::string command;
  std::string args;         // JSON text of the args object, "{}" when absent
  bool may_change = false;  // peer is root or the service user (SO_PEERCRED)
  std::uint64_t connection = 0;
};

// What a handler answers: JSON text of the result.
using Answer = Result<std::string>;

// Server side, driven by the loop. Not thread-safe.
class Server {
 public:
  virtual ~Server() = default;
  // Descriptors to poll for reading. One of them is readable whenever Serve() has something to do: also when a client
  // can take more of its answer, and when an idle one is to be closed.
  virtual std::vector<int> Fds() const = 0;
  // Accepts, reads, answers and writes whatever can be done without blocking. Call when an fd is readable, or each
  // iteration of the loop.
  virtual void Serve() = 0;
  // Sends one more line to a connection that follows; false when it is gone or does not read (then forget it).
  virtual bool Push(std::uint64_t connection, const std::string& result_json) = 0;
  // Whether a connection that follows reads fast enough for another line: it has read at least half of what may wait
  // for it. Also true when it is gone.
  virtual bool HasRoom(std::uint64_t connection) = 0;
  // Answers a call whose handler returned kBusy with an empty message ("answer follows later"). Until then, further
  // requests of that connection wait. Nothing happens when the connection is gone.
  virtual void AnswerLater(std::uint64_t connection, const Answer& answer) = 0;
};

// Listens on `path` (at most 107 bytes), mode 0660, group as of the directory or `packhorse` where it exists. A stale
// socket is replaced; one that answers is kBusy. `handler` runs within Serve().
Result<std::unique_ptr<Server>> Listen(const std::string& path, std::function<Answer(const Call&)> handler);

// Client side, blocking (at most 60 s for an answer, then kTimeout), for the CLI. kUnavailable with a helpful message
// when the daemon is not there; kBusy when it is there but takes no further connection; kPermissionDenied tells which
// group to join.
class Client {
 public:
  virtual ~Client() = default;
  // Result JSON text; the daemon's error keeps its code.
  virtual Result<std::string> Ask(const std::string& command, const std::string& args_json) = 0;
  // Next line of a following command, however long it takes; an error when the daemon ends it.
  virtual Result<std::string> Next() = 0;
};
Result<std::unique_ptr<Client>> Connect(const std::string& path);

}  // namespace packhorse::control
