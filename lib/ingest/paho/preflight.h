#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/result.h"
#include "ingest/paho/endpoint.h"
#include "ingest/paho/wire.h"

namespace packhorse::ingest {

// What Paho C 1.3.12 does not do for us. It resolves names while it holds its global lock, so that a slow resolver
// would stop every source, it tries one address of a host alone, and it says of any failure only "TCP/TLS connect
// failure". It also frees an uninitialised
// structure when a broker that speaks 3.1.1 alone answers an MQTT 5 CONNECT with the two-byte CONNACK of MQTT 3.1.1
// section 3.2.2.3 (harmless in Debian's build alone, whose allocator clears memory). Hence a connection of our own
// comes before the first one of Paho to a broker, and after one that failed.

enum class Dialect {
  kMqtt5,
  kOlder,    // answered an MQTT 5 CONNECT in the form of 3.1.1
  kUnknown,  // closed the connection without an answer
};

struct Found {
  Dialect dialect = Dialect::kUnknown;
  std::string address;  // the first at which all this worked
};

// Connects, does the TLS handshake with the same checks as the real connection and that of the pins, and sends an MQTT
// 5 CONNECT without client id, user and password, to see in which form it is answered (also a refusal tells): at one of
// these addresses of the host after the other, until that works. The error says what failed at the first one and why.
// Bounded by `timeout` in all. REQUIRES: SIGPIPE is ignored; there is an address.
Result<Found> Preflight(const Endpoint& endpoint, const std::vector<std::string>& addresses, const TlsSettings& tls,
                        std::chrono::milliseconds timeout);

// The same without the CONNECT, at this address: whether the other side shows a trusted certificate with a pinned key.
// REQUIRES: endpoint.tls.
Status CheckPeer(const Endpoint& endpoint, const std::string& address, const TlsSettings& tls,
                 std::chrono::milliseconds timeout);

}  // namespace packhorse::ingest
