#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "contract/cloud_contract.h"
#include "outcome/outcome_rules.h"
#include "reconcile/compare.h"

namespace packhorse::reconcile {

// What of a cloud's counts is read at most.
inline constexpr std::size_t kMaxPages = 1'000;
inline constexpr std::size_t kMaxHours = 100'000;  // hours of streams
inline constexpr std::size_t kMaxCursorBytes = 4'096;

// Where the sums stand that are compared.
using SumPlaces = std::vector<contract::ReconcileRules::Sum>;

// Reads one page of counts and adds them to `hours`; the cursor of the next page, empty: it was the last. Pure.
// kCorrupt says what is not as the contract says: an hour that is none, comes twice, or has a count, a hash or a sum
// that is none; kLimitExceeded: more than kMaxHours, or too long a cursor. After an error `hours` is not to be used.
Result<std::string> ReadPage(const contract::ReconcileRules& rules, const SumPlaces& sums, const outcome::Reply& reply,
                             CloudHours& hours);

}  // namespace packhorse::reconcile
