#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "record/raw_message.h"

namespace packhorse::queue {

// What is needed to decode the messages of a stream, beside the messages: its contract, its topics and how retained
// messages are taken. Plain values, kept in the database with the messages; the queue does not judge them.
struct StreamDefinition {
  std::string contract;  // as the configuration names it: "generic-json@1". Empty: nothing is kept
  std::vector<std::string> topics;
  bool retained_is_state = true;

  bool operator==(const StreamDefinition&) const = default;
};

// A definition that messages of a stream came under, or come under now.
struct KeptDefinition {
  StreamId stream = 0;
  StreamDefinition definition;
  bool current = false;  // the configuration says so now
  // Of one that is not: the last number of each lane that may have come under it.
  std::array<Sequence, 3> through{};
};

// Reasons of quarantine that are not the message's fault: what is needed to decode it is not there, and may come. Such
// messages stay whatever their number.
inline constexpr std::string_view kUnknownStream = "unknown_stream";
inline constexpr std::string_view kUnknownContract = "unknown_contract";
inline bool WaitsForDefinition(std::string_view reason) {
  return reason == kUnknownStream || reason == kUnknownContract;
}

}  // namespace packhorse::queue
