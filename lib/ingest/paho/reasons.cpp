#include <array>
#include <cstdio>
#include <utility>

#include "ingest/paho/connection.h"

namespace packhorse::ingest {
namespace {

// MQTT 3.1.1 sections 3.2.2.3 and 3.9.3.
constexpr std::array<std::pair<int, const char*>, 6> kOldCodes = {{
    {1, "the broker does not accept this protocol version"},
    {2, "the broker refuses the client id"},
    {3, "the broker says it is unavailable"},
    {4, "wrong user name or password"},
    {5, "not authorized"},
    {0x80, "refused"},
}};

// MQTT 5 section 2.4, those that a broker may send to us.
constexpr std::array<std::pair<int, const char*>, 31> kCodes = {{
    {0x00, "closed by the broker"},
    {0x80, "refused without a reason"},
    {0x81, "the broker calls our packet malformed"},
    {0x82, "protocol error"},
    {0x83, "refused for a reason of the broker's own"},
    {0x84, "the broker does not accept this protocol version"},
    {0x85, "the broker refuses the client id"},
    {0x86, "wrong user name or password"},
    {0x87, "not authorized"},
    {0x88, "the broker says it is unavailable"},
    {0x89, "the broker says it is busy"},
    {0x8A, "this client is banned"},
    {0x8B, "the broker is shutting down"},
    {0x8C, "bad authentication method"},
    {0x8D, "keep alive timeout: nothing was heard from us in time"},
    {0x8E, "session taken over"},
    {0x8F, "the broker refuses this topic filter"},
    {0x91, "packet identifier in use"},
    {0x93, "more messages in flight than allowed"},
    {0x94, "invalid topic alias"},
    {0x95, "a packet was too large"},
    {0x96, "message rate too high"},
    {0x97, "a quota of the broker is exceeded"},
    {0x98, "closed by an administrator of the broker"},
    {0x9C, "the broker asks to use another server"},
    {0x9D, "the broker has moved to another server"},
    {0x9E, "shared subscriptions are not supported by the broker"},
    {0x9F, "too many connections in a short time"},
    {0xA0, "longest time of a connection is over"},
    {0xA1, "subscription identifiers are not supported by the broker"},
    {0xA2, "wildcards are not supported by the broker"},
}};

template <std::size_t N>
const char* Find(const std::array<std::pair<int, const char*>, N>& table, int code) {
  for (const auto& [number, text] : table) {
    if (number == code) {
      return text;
    }
  }
  return "refused";
}

}  // namespace

std::string_view Name(Protocol protocol) { return protocol == Protocol::kMqtt5 ? "5" : "3.1.1"; }

bool Refusal::WrongVersion() const { return kind == Kind::kCode && (code == 1 || code == 0x84); }

// "Not authorized" too: mosquitto answers a wrong password with it.
bool Refusal::WrongCredentials() const {
  return kind == Kind::kCode && (code == 4 || code == 5 || code == 0x86 || code == 0x87);
}

std::string ReasonText(int code, Protocol protocol) {
  std::array<char, 16> number{};
  std::snprintf(number.data(), number.size(), " (0x%02X)", static_cast<unsigned>(code) & 0xFFU);
  const bool old = protocol == Protocol::kMqtt311;
  return std::string(old ? Find(kOldCodes, code) : Find(kCodes, code)) + number.data();
}

}  // namespace packhorse::ingest
