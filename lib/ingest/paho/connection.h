#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "ingest/ingest.h"
#include "ingest/paho/endpoint.h"
#include "ingest/paho/inbound.h"

namespace packhorse::ingest {

enum class Protocol : std::uint8_t { kMqtt311 = 4, kMqtt5 = 5 };  // as in CONNECT
std::string_view Name(Protocol protocol);                         // "3.1.1", "5"

// What the broker answered, or what happened instead.
struct Refusal {
  enum class Kind : std::uint8_t { kNone, kCode, kClosed, kTimeout, kCancelled, kUntrusted };
  Kind kind = Kind::kNone;  // kUntrusted: no connection was tried, because the check of the pins failed
  int code = 0;             // of CONNACK, with kCode
  std::string text;         // for people

  bool WrongVersion() const;
  bool WrongCredentials() const;
};

struct Connected {
  Refusal refusal;
  bool session_present = false;
  std::chrono::seconds keep_alive{};  // MQTT 5 Server Keep Alive; 0: the broker takes ours
  std::optional<std::chrono::seconds> expiry =
      {};  // MQTT 5: how long the broker keeps the session, if other than asked
};

// What a CONNECT says beside the options of the source.
struct ConnectWith {
  std::string password;
  std::chrono::seconds keep_alive{};
  bool clean = false;  // ends the session that there may be, and leaves none
};

struct Subscribed {
  struct Refused {
    std::string filter;
    std::string why;
  };
  Refusal refusal;                     // of the exchange as a whole
  std::vector<Refused> refused;        // single filters
  std::map<std::string, int> granted;  // and their QoS
};

// One MQTT connection over Paho's asynchronous client: connects once, is used, is thrown away. A new client each time,
// because an old one may hold received messages in its own memory, which it acknowledges without us (see README.md).
//
// Called from one thread, the owner. Hooks run on a Paho thread which holds Paho's lock of the whole process: they must
// not call a Connection. Destruction waits for that lock, so for a hook that is running.
class Connection {
 public:
  struct Hooks {
    // The message is acknowledged when this returns, whatever happened: it returns only when the message is safe.
    std::function<void(const Arrival&)> message;
    std::function<void(std::string reason, bool taken_over)> lost;  // maybe more than once
    std::function<bool()> busy;       // whether `message` is running: then waiting for the broker does not count
    std::function<bool()> cancelled;  // whether to give up waiting
  };

  // Sets up the library, once per process: SIGPIPE is ignored from then on, and the variables http_proxy and
  // https_proxy leave the environment (the second one as HTTPS_PROXY), because Paho would tunnel MQTT through these
  // proxies.
  static Status Prepare();
  // kInternal when the library refuses. `inbound`: what is remembered for the next connection to this broker, of MQTT
  // 3.1.1 alone. REQUIRES: Prepare() succeeded.
  static Result<std::unique_ptr<Connection>> Make(const Endpoint& endpoint, const std::string& client_id,
                                                  Protocol protocol, std::shared_ptr<InboundQos2> inbound, Hooks hooks);
  ~Connection();

  Connected Connect(const SourceOptions& options, const ConnectWith& with);
  Subscribed Subscribe(const std::vector<std::string>& filters, const SourceOptions& options);
  // The filters that the broker has no longer.
  std::vector<std::string> Unsubscribe(const std::vector<std::string>& filters, const SourceOptions& options);
  // DISCONNECT; the session stays. Waits for the library at most until `deadline`.
  void Disconnect(std::chrono::steady_clock::time_point deadline);

 private:
  class Impl;
  explicit Connection(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// For people: what a CONNACK, SUBACK or DISCONNECT code of this protocol means.
std::string ReasonText(int code, Protocol protocol);

}  // namespace packhorse::ingest
