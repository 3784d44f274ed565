#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "outcome/outcome_rules.h"
#include "outcome/reply_document.h"

namespace packhorse::outcome {

// What a reply says of each item that was sent, and what that means for the records. Pure functions.

// How many items were sent: one a record, unless `sent` says otherwise.
std::size_t ItemCount(const Sent& sent);
// "records" where each record is one item.
std::string_view ItemWord(const Sent& sent);

struct ItemAnswer {
  // Why the reply cannot be believed; then nothing of it is. Empty: it can.
  std::string contradiction;
  std::vector<RecordResult> records;  // one per record sent, in order
  std::size_t accepted = 0;           // items
  std::size_t rejected = 0;
  std::size_t throttled = 0;
  std::size_t unnamed = 0;  // items of which the reply says nothing where it should; they are retried
};

// Applies `lists`, `rest` and `accepted_count` of a rule. A record takes the worst of its items, retry first, since a
// retry sends it whole. `rest` holds only where all else agrees.
ItemAnswer ReadLists(ReplyView& view, const contract::ResponseRule& rule, const Sent& sent);
// Applies `first_bad`. `words`: of the reply as a whole, where the rule names no reason.
ItemAnswer ReadFirstBad(ReplyView& view, const contract::ResponseRule& rule, const Sent& sent,
                        const std::string& words);
// Whether a list of the rule names anybody, or is no list.
bool NamesAnybody(ReplyView& view, const contract::ResponseRule& rule);

}  // namespace packhorse::outcome
