#pragma once

#include <cstddef>
#include <vector>

#include "contract/cloud/response_rules.h"
#include "tryout/run.h"
#include "tryout/sample.h"

namespace packhorse::tryout {

// Replies that tell the rules of contracts apart. Pure functions.

inline constexpr std::size_t kMaxRepliesOfStatus = 4'000;

struct ReplySpace {
  std::vector<Sample::Reply> replies;  // `title` says what is in it: "HTTP 400, /error: "quota""
  bool complete = true;                // false: there are more combinations of some status than kMaxRepliesOfStatus
};

// For each status that the rules name, and some that they do not, each combination of the values that they ask for:
// each value, another one, and none.
ReplySpace RepliesFor(const std::vector<const contract::ResponseRules*>& all);

// The request of three records that they answer.
const Tried::Request& RequestOfSpace();

}  // namespace packhorse::tryout
