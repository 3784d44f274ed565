#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/topic.h"
#include "ingest/device_rates.h"
#include "ingest/oddities.h"
#include "ingest/sessions.h"
#include "queue/ports/intake.h"
#include "record/policies.h"
#include "record/raw_message.h"

namespace packhorse::ingest {

// From the broker into the queue: stamp, bound, route, make safe; only then may the library acknowledge.

struct Route {
  StreamId stream = 0;  // of the queue
  RetainedPolicy retained = RetainedPolicy::kState;
  std::vector<TopicPattern> patterns;
  DeviceRate device_rate = {};
};

// The ledger's reason for what is dropped because its device is over its rate.
inline constexpr std::string_view kOverDeviceRate = "device_rate";

// What the broker handed over. Views are valid during the call only.
struct Arrival {
  std::string_view topic;
  std::string_view payload;
  std::uint64_t payload_bytes = 0;  // as published, where `payload` is only its beginning; 0: it is all of it
  std::uint8_t qos = 0;
  bool retained = false;
  bool redelivered = false;
  std::string_view content_type;
  std::vector<std::pair<std::string, std::string>> user_properties;
};

struct Limits {
  std::uint64_t max_payload_bytes = 1ULL << 20U;
  std::uint32_t max_topic_bytes = 1024;
};

struct IntakeStats {
  std::uint64_t received = 0;  // every arrival
  std::uint64_t unrouted = 0;
  std::uint64_t qos0 = 0;
  std::uint64_t redelivered = 0;
  std::uint64_t too_large = 0;
  std::uint64_t properties_truncated = 0;  // messages stored with only a part of their MQTT 5 properties
  WallTime last_at{};
};

// One per source; its OnMessage runs on the library's receive thread. Stats from any thread.
class Intake {
 public:
  // Is shown what was stored, for the observer. Called on the receive thread while enabled; must be quick and not
  // block.
  using Tap = std::function<void(Lane, Sequence, const RawMessage&)>;

  Intake(std::vector<Route> routes, Limits limits, queue::IntakePort& queue, const Clock& clock);
  ~Intake();

  // The time is taken before anything else. Returns success once the message is safe (stored, quarantined, or counted
  // as unrouted or dropped); after a failure it must not be acknowledged. Routes are tried in order, first match wins.
  Status OnMessage(const Arrival& arrival);

  // New routes and limits, as one. Any thread.
  void SetRoutes(std::vector<Route> routes, Limits limits);
  // Null switches it off. Any thread.
  void SetTap(std::shared_ptr<const Tap> tap);
  IntakeStats Stats() const;
  std::uint64_t MaxPayloadBytes() const;  // of the limits in force
  // The devices that were over their rate since the last call, and how often. Any thread.
  std::vector<NoisyDevice> TakeNoisy();
  // Likewise what no stream took, and what came without acknowledgement. Any thread.
  Oddities TakeOddities();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

struct SourceOptions {
  std::string name;
  std::vector<std::string> urls;  // mqtt://, mqtts://; tried in order
  std::string client_id;
  std::string username;
  std::function<Result<std::string>()> password;  // read at each connect; null: none
  // The other password of a rotation: tried when the broker refuses the first one. Null: none.
  std::function<Result<std::string>()> next_password;
  std::string ca, certificate, key;  // PEM files
  // "sha256//<base64>" of public keys (SHA-256 of the DER form of SubjectPublicKeyInfo) of which a broker reached over
  // TLS must show one; empty: any key of a trusted certificate. Checked on a connection of its own right before each
  // connection (docs/decisions/0010-pin-before-connect.md says what that leaves open).
  std::vector<std::string> pins;
  std::vector<std::string> filters;  // to subscribe, QoS 1
  std::string protocol = "auto";     // auto, 5, 3.1.1
  std::chrono::milliseconds keep_alive{30'000};
  std::chrono::milliseconds session_expiry{std::chrono::hours(24 * 7)};
  std::uint16_t receive_maximum = 100;
  std::uint32_t max_packet_bytes = 0;  // v5 Maximum Packet Size; 0: none sent
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds reconnect_min{1'000};
  std::chrono::milliseconds reconnect_max{60'000};
  std::chrono::milliseconds subscribe_again{60'000};  // how often a refused subscription is tried again
  bool retained_on_subscribe = true;                  // v5 Retain Handling 1 (only new subscriptions); false: 2 (never)
  // How long a connection has to last until it counts as stable again; 0: a minute, or twice reconnect_max if that is
  // longer.
  std::chrono::milliseconds settled_after{0};
  // What brokers keep for us; null: nothing is remembered. `access` goes into it (BrokerSession::access).
  std::shared_ptr<Sessions> sessions;
  std::string access;
  // Takes what the broker still has in a session that is not wanted any more, then ends the session and the source.
  bool drain = false;
  std::chrono::milliseconds drain_quiet{5'000};                // nothing came for so long: there is no more
  std::chrono::milliseconds drain_for{std::chrono::hours(1)};  // then it gives up, until the next start
};

enum class SourceState : std::uint8_t { kConnecting, kConnected, kDown };
std::string_view Name(SourceState state);  // "connecting", "connected", "down"

struct SourceStatus {
  std::string name;
  std::string url;  // the one in use or tried last, without credentials
  SourceState state = SourceState::kConnecting;
  std::string reason;  // why it is not connected, or which subscription was refused
  WallTime since{};
  std::string protocol;  // "5", "3.1.1", empty while not connected
  bool session_present = false;
  std::uint64_t connects = 0;
  std::uint64_t session_lost = 0;  // reconnects at which the broker had forgotten our session: a gap
  std::vector<std::string> refused_filters;
  std::vector<std::string> qos0_filters;  // granted, but without acknowledgement: messages can be lost
  std::string flapping;                   // the likely cause why connections do not last; empty: they do
  // The broker keeps the session only that long while we are away, less than was asked for.
  std::optional<std::chrono::seconds> short_expiry;
  bool expiry_cut = false;           // and less than it granted before
  std::vector<std::string> reasons;  // what of this is not as it should be while it is connected, a sentence each
  bool gave_up = false;              // with SourceOptions::drain: nothing came of it in drain_for
  bool ended = false;                // with SourceOptions::drain: the session is ended
  // A message could not be stored, and must not be acknowledged: no source of this process receives anything any more.
  bool receives_nothing = false;
};

// What to do about a source that is not connected, by its reason. For people.
std::string_view AdviceFor(const SourceStatus& status);

// A broker's URL as SourceStatus::url shows it, with its port; one that makes no sense as it is.
std::string ShownUrl(const std::string& url);

// A connection to one broker (several URLs: one after the other), kept up for ever with jittered backoff. Persistent
// session, QoS 1, acknowledged only after Intake::OnMessage succeeded.
class Source {
 public:
  // REQUIRES: Stopped(), or the queue is stopped. Waits while a message is being stored, as long as that takes.
  virtual ~Source() = default;
  virtual Status Start() = 0;
  // Clean DISCONNECT, session kept. Bounded by `deadline`; a receive thread that waits in the queue is not waited for.
  virtual void Stop(std::chrono::milliseconds deadline) = 0;
  // As Stop() without waiting: it is done once Stopped() says so. A receive thread that waits in the queue is waited
  // for.
  virtual void BeginStop() = 0;
  virtual bool Stopped() const = 0;
  virtual SourceStatus Snapshot() const = 0;
};

// `changed` is called from a library thread when the state changes; must not block. `intake` outlives the source.
Result<std::unique_ptr<Source>> MakeSource(SourceOptions options, Intake& intake, const Clock& clock,
                                           std::function<void()> changed);

}  // namespace packhorse::ingest
