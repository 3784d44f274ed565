#pragma once

#include <string>

namespace packhorse::ingest {

// From now on the MQTT library connects to this address (as getnameinfo writes it) when it is told to connect to
// `host`. Thread-safe; process-wide; bounded by the number of hosts that are configured.
//
// Paho C 1.3.12 takes one address of a host that has several, and keeps to it when it is dead. An address in its URL
// would do for plain connections, but with TLS the certificate is compared with what the URL says. So its own lookup is
// answered: it is the only code of the process that calls getaddrinfo() without naming a service.
void ConnectTo(const std::string& host, const std::string& address);

}  // namespace packhorse::ingest
