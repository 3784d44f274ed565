#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace packhorse {

// What an operator chooses in the configuration and the intake and the queue obey.

// What becomes of a message that the broker had retained: "state", "ignore", "telemetry".
enum class RetainedPolicy : std::uint8_t {
  kState,      // it tells a state
  kIgnore,     // it is dropped
  kTelemetry,  // it is as any other
};
std::string_view Name(RetainedPolicy policy);
std::optional<RetainedPolicy> ParseRetainedPolicy(std::string_view name);

// What happens over a limit of the queue: "drop_oldest", "drop_newest", "block".
enum class Overflow : std::uint8_t {
  kDropOldest,  // the oldest messages are dropped: first bulk, then normal, then urgent ones
  kDropNewest,  // arrivals are dropped
  kBlock,       // arrivals are not taken: the caller's affair
};
std::string_view Name(Overflow overflow);
std::optional<Overflow> ParseOverflow(std::string_view name);

}  // namespace packhorse
