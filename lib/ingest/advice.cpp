#include <array>
#include <utility>

#include "ingest/ingest.h"

namespace packhorse::ingest {

// The reasons are texts of paho/: of what the broker answered (reasons.cpp), and of what a connection of our own found
// (preflight.cpp). The first that fits counts.
std::string_view AdviceFor(const SourceStatus& status) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 12> kAdvice = {{
      {"user name or password", "check username and password of the source; a changed secret file is read at each try"},
      {"not authorized", "check username and password of the source, and what the broker allows this user"},
      {"refuses the client id", "check client_id of the source"},
      {"another client uses", "give each bridge a client_id of its own"},
      {"is not one of those in tls.pin", "check tls.pin of the source: was the broker's key renewed?"},
      {"is not accepted", "check tls.ca of the source, and the broker's certificate: its names, its end, its issuer"},
      {"cannot use", "check the files under tls of the source"},
      {"TLS", "does the broker speak TLS on this port, and does it want a certificate of ours?"},
      {"password", "the secret of the source cannot be read: check its file and who may read it"},
      {"cannot resolve", "check the host name in the URL, and the name service of this machine"},
      {"does not speak MQTT", "check the port in the URL"},
      {"accepts the connection but", "the broker hangs, or something else listens there: look at its log"},
  }};
  for (const auto& [part, advice] : kAdvice) {
    if (status.reason.find(part) != std::string::npos) {
      return advice;
    }
  }
  return "is the broker up, and reachable from here? It is tried again by itself";
}

}  // namespace packhorse::ingest
