#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "ingest/ingest.h"
#include "ingest/paho/wire.h"

namespace packhorse::ingest {

// A way out of a message that is too large for this machine: MQTT 3.1.1 knows no limit on packets, the library holds
// three copies of each, and what kills the process comes again at the next connect.

struct PassOverSettings {
  std::string client_id;
  std::string username;
  std::optional<std::string> password;
  std::uint64_t max_payload_bytes = 0;
  std::function<Status(const Arrival&)> take;  // stores or counts it; an error ends it all
  std::function<bool()> cancelled;
  std::chrono::milliseconds timeout{};  // of the connection
  std::chrono::milliseconds quiet{};    // nothing came for so long: there is no more
};

// Connects to the session with MQTT 3.1.1 and acknowledges those messages whose payload has more than
// max_payload_bytes, once `take` has them; of each only the first 4 KiB are in memory. All others are left with the
// broker, which sends them again. How many were taken. Blocks until the broker is quiet, has sent 10,000 packets, or
// ends the connection.
Result<std::size_t> PassOverOversize(const Endpoint& endpoint, const std::string& address, const TlsSettings& tls,
                                     const PassOverSettings& settings);

}  // namespace packhorse::ingest
