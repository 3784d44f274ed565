#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "auth/secret.h"
#include "base/enum_names.h"
#include "base/result.h"
#include "base/topic.h"
#include "config/accepted_times.h"
#include "config/place.h"
#include "config/rollout.h"
#include "config/secret_ref.h"
#include "contract/cloud/response_rules.h"
#include "document/problems.h"
#include "limit/budget.h"
#include "limit/rate_limit.h"
#include "limit/send_window.h"
#include "record/policies.h"
#include "record/raw_message.h"

namespace packhorse::config {

// The checked configuration: every value is present, in range and converted. Keys, defaults and ranges are those of
// contracts/schema/config.schema.json, the single place where they are written; this is its shape in C++.
// Plain values, immutable once loaded; any thread.

struct Gateway {
  std::string id;
  std::map<std::string, std::string> attributes;

  bool operator==(const Gateway&) const = default;
};

struct Tls {
  std::string ca;           // PEM file; empty: the system's store
  std::string certificate;  // PEM file of our client certificate; empty: none
  std::string key;
  std::vector<std::string> pins;  // "sha256//<base64>", any of them

  bool operator==(const Tls&) const = default;
};

struct Source {
  std::string name;
  std::vector<std::string> urls;  // mqtt://host:port or mqtts://host:port, tried in order
  std::string client_id;
  std::string username;
  SecretRef password;
  Tls tls;
  bool allow_plaintext = false;
  std::string protocol = "auto";  // auto (MQTT 5, then 3.1.1), 5, 3.1.1
  std::chrono::milliseconds keep_alive{};
  std::chrono::milliseconds session_expiry{};
  std::uint16_t receive_maximum = 0;
  std::uint64_t max_payload_bytes = 0;
  std::uint32_t max_topic_bytes = 0;
  std::chrono::milliseconds connect_timeout{};
  std::chrono::milliseconds reconnect_min{};
  std::chrono::milliseconds reconnect_max{};

  bool operator==(const Source&) const = default;
};

// A soft rate for each device of a stream.
struct DeviceRate {
  enum class Over { kBulk, kDrop };
  std::uint64_t messages = 0;
  std::chrono::milliseconds per{};
  Over over = Over::kBulk;

  bool operator==(const DeviceRate&) const = default;
};

struct Stream {
  std::string name;
  std::string source;
  std::vector<std::string> topics;  // patterns with '+', '#' or {captures}
  std::string contract;             // device contract, name@major or name@major.minor
  Lane lane = Lane::kNormal;
  RetainedPolicy retained = RetainedPolicy::kState;
  std::vector<std::string> destinations;
  std::vector<std::string> shadows;              // likewise, those that owe nothing
  std::chrono::milliseconds retain_delivered{};  // 0: not at all
  std::optional<DeviceRate> device_rate;

  bool operator==(const Stream&) const = default;
};

enum class Durability { kWindow, kStrict };
inline constexpr EnumNames<Durability, 2> kDurabilityNames{{"window", "strict"}};

struct Queue {
  std::string path;
  std::string runtime_dir;
  std::uint64_t max_bytes = 0;
  std::chrono::milliseconds max_age{};
  std::uint64_t max_records = 0;            // messages per destination; 0: no limit
  std::array<Overflow, kLanes> overflow{};  // by lane
  Durability durability = Durability::kStrict;
  std::chrono::milliseconds window{};
  std::chrono::milliseconds clock_wait{};
};

// Names are those of auth::Schemes().
struct Auth {
  std::string scheme;  // empty: as the contract says, else none
  std::map<std::string, std::string> parameters;
  std::map<std::string, SecretRef> secrets;

  bool operator==(const Auth&) const = default;
};

struct Batch {
  std::uint32_t max_records = 0;
  std::uint64_t max_bytes = 0;
  std::chrono::milliseconds max_age{};

  bool operator==(const Batch&) const = default;
};

struct Retry {
  std::chrono::milliseconds initial{};
  std::chrono::milliseconds max{};
  double budget = 0;  // retries at most this share of first attempts, over the last minutes

  bool operator==(const Retry&) const = default;
};

struct Proxy {
  std::string url;  // without a slash at its end; empty: none
  std::string ca;
  std::string username;
  SecretRef password;
  std::vector<std::string> no_proxy;

  bool operator==(const Proxy&) const = default;
};

// When records of these lanes may be sent.
struct SendWindow {
  std::vector<Lane> lanes;
  limit::DayWindow time;

  bool operator==(const SendWindow&) const = default;
};

// A value that a contract leaves to whoever uses it: in clear, or a secret.
struct Setting {
  std::string text;  // a number as it is written
  SecretRef secret;  // kNone: it is `text`

  bool is_secret() const { return secret.kind != SecretRef::Kind::kNone; }
  bool operator==(const Setting&) const = default;
};

struct Destination {
  Place place;
  std::string name;
  std::string contract;                     // cloud contract
  std::optional<Rollout> rollout;           // of a newer one
  std::map<std::string, Setting> settings;  // of the contract, by name
  contract::ResponseRules outcomes;         // before the common table of replies
  std::string url;                          // base URL without a trailing slash
  bool allow_plaintext = false;
  Auth auth;
  Tls tls;
  Batch batch;
  Retry retry;
  std::vector<limit::Window> limits;
  AcceptedTimes accepts;
  std::optional<limit::BudgetOptions> budget;
  std::chrono::milliseconds reconcile_every{};  // 0: only when somebody asks
  std::vector<std::string> reconcile_sums;      // measurements
  std::vector<SendWindow> windows;
  Proxy proxy;
  std::string bind;            // address or interface
  std::string shared_limit;    // name in Config::shared_limits, or empty
  std::string order = "fifo";  // or live_first, any
  std::uint32_t max_in_flight = 4;
  std::string receiver = "record_id";  // or watermark
  double backfill_share = 0;           // of order live_first
  std::chrono::milliseconds backfill_after{};
  std::string start = "now";
  std::string compression;  // auto, gzip, zstd, none; empty: see CodingOf()
  std::chrono::milliseconds timeout{};
  std::chrono::milliseconds connect_timeout{};

  bool operator==(const Destination&) const = default;
};

struct Control {
  std::string socket;
};
struct Log {
  std::string level = "info";   // error, warning, info, debug
  std::string format = "json";  // json, text
};

struct Config {
  Gateway gateway;
  std::vector<Source> sources;
  std::vector<Stream> streams;
  Queue queue;
  std::vector<Destination> destinations;
  std::vector<Destination> shadows;  // beside these: they get a copy, and owe nothing
  std::map<std::string, std::vector<limit::Window>> shared_limits;
  Control control;
  std::string metrics_listen;  // HOST:PORT, empty: off
  Log log;
};

struct Loaded {
  Config config;                                // complete only when there is no error among the problems
  std::vector<document::Problem> problems;      // all of them at once, errors and warnings, in file order
  std::vector<document::Problem> refused = {};  // errors of files beside it that it can do without: warnings above
  bool ok() const;
  void AddBeside(std::vector<document::Problem> found, bool needed);  // of files beside it; not `needed`: refused
};

// Reads, parses (JSON with // comments, at most 1 MiB and 32 levels) and checks `file`. Never throws; finds every
// mistake. Of secret files it looks at existence, size and permissions only (readable by others is an error).
Loaded Load(const std::string& file);
Loaded Parse(const std::string& text, const std::string& file);  // of a text; `file` names it in messages

// The topic filters to subscribe at a source: those of all its streams, without any that another one covers, so that no
// broker delivers a message once per filter. In the order of the streams.
std::vector<std::string> SubscriptionFilters(const Config& config, const std::string& source);

// The settings of a destination that are no secrets.
std::map<std::string, std::string> PlainSettings(const Destination& destination);

// The content coding for request bodies of a destination; empty: none. `taken`: those that its contract takes, the best
// first. Without a choice it is gzip where that is taken, else the best; "snappy" is no choice. kInvalidArgument: the
// contract does not take what was chosen.
Result<std::string> CodingOf(const Destination& destination, const std::vector<std::string>& taken);

// The topics of a stream, ready to match. Fails only for a configuration that Load() found errors in.
Result<std::vector<TopicPattern>> PatternsOf(const Stream& stream);

// docs/CONFIGURATION.md, made from the schema.
std::string RenderReference();

}  // namespace packhorse::config
