#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace packhorse::simulation {

// Messages are numbered from 1 in the order in which the broker sends them.
using Number = std::uint32_t;

// What the cloud thinks of a message on its own merits. It never changes its mind.
enum class Kind : std::uint8_t {
  kGood,
  kRefused,    // 422 for the batch that holds it
  kNamed,      // 207 that names it as rejected
  kCrashes,    // 500 for the batch that holds it
  kForbidden,  // 403 for the batch that holds it: a firewall
};

struct Messages {
  std::vector<Kind> kinds{Kind::kGood};  // by number; 0 is none

  Number last() const { return static_cast<Number>(kinds.size() - 1); }
  Kind KindOf(Number number) const { return kinds.at(number); }
  bool Bad(Number number) const { return KindOf(number) != Kind::kGood; }
};

inline std::string PayloadOf(Number number) { return "{\"seq\":" + std::to_string(number) + "}"; }

}  // namespace packhorse::simulation
