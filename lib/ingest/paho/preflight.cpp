#include "ingest/paho/preflight.h"

#include <array>
#include <cstddef>
#include <optional>
#include <utility>

namespace packhorse::ingest {
namespace {

using Steady = std::chrono::steady_clock;

// CONNECT, protocol level 5, clean start, keep alive 10 s, no properties, empty client id (MQTT 5 section 3.1).
constexpr std::array<unsigned char, 15> kConnect = {0x10, 13, 0, 4, 'M', 'Q', 'T', 'T', 5, 0x02, 0, 10, 0, 0, 0};
constexpr std::array<unsigned char, 2> kDisconnect = {0xE0, 0};

Error NoBroker(std::string message) { return Error{ErrorCode::kUnavailable, std::move(message)}; }

Result<Dialect> AskDialect(Wire& wire, const Endpoint& endpoint) {
  std::array<unsigned char, 2> head{};  // CONNACK and its remaining length; one byte is enough for any that is short
  std::size_t have = 0;
  // Whether it could be written does not matter: a server that ended the connection before has said why, and that can
  // still be read. With TLS 1.3 it refuses our certificate, or its lack, when the handshake is over on our side.
  wire.Write(kConnect.data(), kConnect.size());
  while (have < head.size()) {
    const int count = wire.Read(head.data() + have, head.size() - have);
    if (wire.timed_out()) {
      return NoBroker(endpoint.Authority() + " accepts the connection but does not answer");
    }
    if (count <= 0) {
      break;
    }
    have += static_cast<std::size_t>(count);
  }
  if (have < head.size()) {
    if (wire.tls_alert()) {
      return NoBroker("TLS: " + endpoint.Authority() + " ended the connection: " + wire.Why());
    }
    return Dialect::kUnknown;
  }
  if (head[0] != 0x20) {
    return NoBroker(endpoint.Authority() + " does not speak MQTT");
  }
  wire.Write(kDisconnect.data(), kDisconnect.size());
  return head[1] == 2 ? Dialect::kOlder : Dialect::kMqtt5;
}

}  // namespace

Result<Found> Preflight(const Endpoint& endpoint, const std::vector<std::string>& addresses, const TlsSettings& tls,
                        std::chrono::milliseconds timeout) {
  const Steady::time_point deadline = Steady::now() + timeout;
  std::optional<Error> first;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    // One that never answers leaves the others their share of the time.
    const auto share = (deadline - Steady::now()) / static_cast<std::int64_t>(addresses.size() - i);
    Result<Wire> wire = Wire::Open(endpoint, addresses[i], tls, Steady::now() + share);
    const Result<Dialect> dialect = wire ? AskDialect(*wire, endpoint) : Result<Dialect>(wire.error());
    if (dialect) {
      return Found{*dialect, addresses[i]};
    }
    if (!first) {
      first = dialect.error();
    }
  }
  if (addresses.size() > 1) {
    first->message += "; nor does it work with the other addresses of " + endpoint.host;
  }
  return *first;
}

Status CheckPeer(const Endpoint& endpoint, const std::string& address, const TlsSettings& tls,
                 std::chrono::milliseconds timeout) {
  const Result<Wire> wire = Wire::Open(endpoint, address, tls, Steady::now() + timeout);
  return wire ? Status() : Status(wire.error());
}

}  // namespace packhorse::ingest
