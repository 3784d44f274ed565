#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "base/clock.h"

struct curl_sockaddr;

namespace packhorse::upload {

// Which connection may carry a request. libcurl keeps the connections and closes them; this knows them through its
// callbacks for opening and closing a socket, gives each a number, and decides which one is not used again:
//  - When a request fails, every connection of its origin that was open by then is retired: it finishes the requests
//    that it carries and takes no further one. So the next request opens a new one. A failure on a retired connection
//    retires nothing more: requests that fail together lead to one new connection, not to many. What is retired ends
//    when a newer connection is there and its own requests are finished: libcurl closes an HTTP/2 connection without
//    the alert without which OpenSSL forgets the session, and the newer one is to resume it.
//  - A connection that is lost after it had been idle shows that something on the way forgets idle ones: from then on
//    those of this origin are kept idle for half of that time at most.
// An origin is scheme, host and port. Loop thread. Outlives libcurl's multi handle, which closes what is left at its
// end. Bounded: 256 origins.
class Connections {
 public:
  // The two ends of a connection, in libcurl's words.
  struct Ends {
    std::string local_ip;
    int local_port = 0;
    std::string remote_ip;
    int remote_port = 0;
    bool operator==(const Ends&) const = default;
  };
  // What came of a request, for the connection that carried it.
  enum class Outcome : std::uint8_t {
    kGood,    // any other reply: the connection is kept
    kFailed,  // a reply that tells of a bad backend: 5xx without Retry-After
    kBusy,    // 503 with Retry-After: as kFailed once it comes again and again
    kLost,    // no complete reply
  };

  // An idle connection older than this has often been forgotten by a NAT or a server in between; using it would cost a
  // time-out with an unknown outcome.
  static constexpr std::chrono::seconds kLongestIdle{60};

  // CURLOPT_OPENSOCKETFUNCTION and CURLOPT_CLOSESOCKETFUNCTION; `self` is the object.
  static int OnOpen(void* self, int purpose, curl_sockaddr* address);
  static int OnClose(void* self, int fd);

  // One request's hold on a connection.
  struct Use {
    std::uint64_t number = 0;      // of the connection; 0: the request has none
    std::uint64_t generation = 0;  // of the connection, or of the origin when the request began
    std::chrono::seconds was_idle{};
  };

  // Before a request.
  Use Begin(const std::string& origin);
  // How long a connection of this origin may be idle and used again.
  std::chrono::seconds IdleLimit(const std::string& origin) const;
  // The last request to this origin failed: its name is to be resolved anew, and all its addresses tried.
  bool Distrusted(const std::string& origin) const;
  // The request is about to go over the connection between these ends. False: it is retired, take another one.
  bool Take(const std::string& origin, const Ends& ends, MonoTime now, Use& use);
  // The request has ended.
  void Release(const std::string& origin, const Use& use, Outcome outcome, MonoTime now);
  // Retires those of this origin, as a failure does.
  void Retire(const std::string& origin) { ++OriginOf(origin).generation; }
  // Retires all connections, as failures of all origins do.
  void RetireAll();
  // A retired connection still carries requests.
  bool Draining() const;

 private:
  struct Origin {
    std::uint64_t generation = 1;  // counts the times that its connections were retired
    bool distrusted = false;
    int busy_in_a_row = 0;
    std::chrono::seconds idle_limit = kLongestIdle;
  };
  struct Connection {
    std::uint64_t number = 0;
    std::string origin;            // empty until the first request
    Ends ends;                     // known from then on
    std::uint64_t generation = 0;  // of its origin when it carried its first request
    std::size_t users = 0;
    bool ended = false;  // by us; libcurl has not noticed yet
    MonoTime idle_since{};
  };

  Connection* Find(std::uint64_t number);
  Connection* Find(const Ends& ends);
  Origin& OriginOf(const std::string& name);
  bool Retired(const Connection& connection) const;
  static void End(int fd, Connection& connection);
  // Ends what is retired and idle, where there is something newer.
  void EndRetired(const std::string& origin);

  std::map<int, Connection> open_;  // by descriptor
  std::map<std::string, Origin> origins_;
  std::uint64_t last_number_ = 0;
};

}  // namespace packhorse::upload
