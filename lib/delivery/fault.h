#pragma once

#include <cstdint>
#include <string_view>

namespace packhorse::delivery {

// What an attempt that delivered nothing says.
enum class Fault : std::uint8_t {
  kRejected,    // 400, 422; or named by a reply that takes others
  kTooLarge,    // 413
  kForbidden,   // 401 or 403 with every credential there is
  kUnexpected,  // 404, 405, a redirect and what else a person has to mend
  kDeviates,    // a success that is none
  kConflict,    // 409
  kFails,       // 5xx, 408, 425, or the connection ends while the request is sent
  kTimesOut,    // the outcome is unknown
  kThrottled,   // asked to wait, again and again: 429, 503 with Retry-After
};
// Short and stable: "rejected".
std::string_view Name(Fault fault);
// Unknown names are kFails: kept, and never buried for what they say.
Fault FaultOf(std::string_view name);
// A verdict of the other side about this request on its merits. Only such ones bury a record.
constexpr bool Definite(Fault fault) { return fault == Fault::kRejected || fault == Fault::kTooLarge; }

// Attempts of a batch, or of a part of one that failed, after which another one is asked.
std::uint32_t TriesOf(Fault fault, bool part);
// When nothing else passes: else the destination only backs off.
bool Holds(Fault fault);

}  // namespace packhorse::delivery
