#include "delivery/fault.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace packhorse::delivery {
namespace {

struct Rule {
  Fault fault;
  std::string_view name;
  std::uint32_t tries;  // attempts of a batch after which another one is asked
  bool holds;           // when nothing else passes: else the destination only backs off
};

// So often in a row one batch is seldom told to wait by chance, where a rate limit is used up again and again.
constexpr std::uint32_t kThrottlesUntilAsked = 8;
constexpr std::uint32_t kThrottlesOfAPart = 3;

constexpr std::array kRules = {
    Rule{Fault::kRejected, "rejected", 1, true},
    Rule{Fault::kTooLarge, "too_large", 1, true},
    Rule{Fault::kForbidden, "forbidden", 1, true},
    Rule{Fault::kUnexpected, "unexpected_status", 1, true},
    Rule{Fault::kDeviates, "contract_deviation", 2, true},
    Rule{Fault::kConflict, "conflict", 3, false},
    Rule{Fault::kFails, "fails", 3, false},
    Rule{Fault::kTimesOut, "times_out", 5, false},  // the first, and one for each doubling of the timeout
    Rule{Fault::kThrottled, "throttled", kThrottlesUntilAsked, false},
};

const Rule& RuleOf(Fault fault) { return kRules[static_cast<std::size_t>(fault)]; }

}  // namespace

std::string_view Name(Fault fault) { return RuleOf(fault).name; }

Fault FaultOf(std::string_view name) {
  const auto found = std::find_if(kRules.begin(), kRules.end(), [&](const Rule& rule) { return rule.name == name; });
  return found == kRules.end() ? Fault::kFails : found->fault;
}

std::uint32_t TriesOf(Fault fault, bool part) {
  if (!part) {
    return RuleOf(fault).tries;
  }
  return fault == Fault::kThrottled ? kThrottlesOfAPart : 1;
}

bool Holds(Fault fault) { return RuleOf(fault).holds; }

}  // namespace packhorse::delivery
