// What proves that it is the record: the second part of Evidence.

#include <algorithm>
#include <cmath>
#include <utility>

#include "delivery/chance.h"
#include "delivery/evidence.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kRefusals = 2;
// Where nothing contradicts itself so many are enough whatever else is known: where one of two backends refuses
// everything a good record meets them, each with something accepted in between, once in 16 million times.
constexpr std::uint32_t kRefusalsAtMost = 24;
constexpr double kChanceUnnoticed = 1e-4;
// Where requests take turns between a good backend and a bad one, a search leads to a good record as surely as to a bad
// one. But then so many others are not accepted in a row: each of them would have to meet the good one by chance.
constexpr std::uint64_t kOthersAfterSearch = 10;
constexpr auto kConfirmAfter = 500ms;
constexpr std::uint32_t kRefusalsContradicted = 8;
constexpr std::uint32_t kRefusalsAtMostContradicted = 400;
constexpr auto kApartContradicted = 1h;
// A good record in so many may be refused by chance so often; likewise records in a row.
constexpr double kChanceToBury = 1e-9;
constexpr double kChanceToHold = 1e-6;
// Different messages refused, none accepted.
constexpr std::uint32_t kStreakThatHolds = 3;
constexpr std::chrono::milliseconds kLongestRest = 1h;
constexpr std::chrono::milliseconds kLongestRestContradicted = 8min;

}  // namespace

// As many as chance does not explain by what befell all the other requests since, whatever share the API refuses.
std::uint32_t Evidence::RefusalsContradicted(const Case& known) const {
  const std::uint64_t accepted = tally_.accepted - known.tally_before.accepted;
  const std::uint64_t refused = tally_.refused - known.tally_before.refused;
  std::uint32_t needed = 0;
  for (double chance = 1;
       needed < kRefusalsAtMostContradicted && (needed < kRefusalsContradicted || chance > kChanceToBury); ++needed) {
    chance *= ChanceAmong(accepted, refused + needed);
  }
  return needed;
}

void Evidence::NoteSearch(Case& known, const Track& track) {
  for (const Track::Refused* refused = track.part_of.get(); refused != nullptr && refused->rejected;
       refused = refused->of.get()) {
    ++known.halvings;
    known.tally_before_search = refused->tally_before;
    known.requests_before_search = refused->requests_before;
  }
}

// Each batch of the search was refused and one of its halves was not, all else was accepted, and the record was refused
// so often: chance seldom does that. Only where nothing else was refused, and nothing passed that had been.
bool Evidence::SearchTells(const Case& known, std::uint32_t refusals) const {
  const std::uint64_t refused = tally_.refused - known.tally_before_search.refused;
  const std::uint64_t accepted = tally_.accepted - known.tally_before_search.accepted;
  if (known.halvings == 0 || refused != known.halvings + 1 || accepted < known.halvings + kOthersAfterSearch ||
      requests_at_doubt_ > known.requests_before_search) {
    return false;
  }
  // Either half could have been the one.
  return std::ldexp(ChanceOf(accepted, known.halvings + refusals), static_cast<int>(known.halvings)) <=
         kChanceUnnoticed;
}

// The more requests are accepted beside it without any contradiction, the less a refusal can be chance.
std::uint32_t Evidence::RefusalsNeeded(const Case& known) const {
  std::uint32_t needed = kRefusals;
  const std::uint64_t requests = requests_ - std::max(known.requests_before, requests_at_doubt_);
  while (needed < kRefusalsAtMost && ChanceOf(requests, needed) > kChanceUnnoticed && !SearchTells(known, needed)) {
    ++needed;
  }
  return needed;
}

bool Evidence::RefusedEnough(const Case& known, MonoTime now) const {
  return Contradicted(now)
             ? known.refusals_apart >= RefusalsContradicted(known) && now - known.first >= kApartContradicted
             : known.rows + known.more_in_row >= RefusalsNeeded(known);
}

std::uint32_t Evidence::StreakThatHolds(MonoTime now) const {
  return Contradicted(now) ? std::max(kStreakThatHolds, contradictions_.RowLessLikelyThan(kChanceToHold))
                           : kStreakThatHolds;
}

void Evidence::Note(Case& known, Fault fault, std::uint64_t connection, MonoTime now) {
  known.in_batch = false;
  ++known.attempts;
  if (Definite(fault)) {
    if (known.refusals++ == 0) {
      known.first = now;
      known.connection = connection;
      known.accepted_before = accepted_;
      known.requests_before = requests_;
      known.tally_before = tally_;
    } else {
      known.other_connection = known.other_connection || connection == 0 || connection != known.connection;
    }
    known.refusals_apart += known.refusals == 1 || tally_.all() > known.others_at_last ? 1U : 0U;
    known.others_at_last = tally_.all();
    CountRow(known, now);
    known.accepted_at_last = accepted_;
    some_wait_for_others_ = true;
    known.accepted_at_hold.reset();
  }
  known.due = now + Rest(known, now);
  Touch();
}

// An API that has begun to refuse everything makes any number of refusals: once something else is accepted a row of
// them is one. Where nothing else is sent nothing tells a bad record from a bad hour, and more and more time has to do.
void Evidence::CountRow(Case& known, MonoTime now) const {
  if (known.rows == 0 || accepted_ > known.accepted_at_last) {
    ++known.rows;
    known.more_in_row = 0;
  } else if (now - known.last >= kApart) {
    ++known.more_in_row;
  } else {
    return;
  }
  known.last = now;
}

// Something else is accepted: the next refusal of what was refused before tells more. The last one does not come
// sooner: others that were refused may pass until then. Where the API contradicts itself only time tells.
void Evidence::HastenAfterOthers(MonoTime now) {
  if (!std::exchange(some_wait_for_others_, false)) {
    return;
  }
  for (auto& [record, known] : cases_) {
    const bool first = known.accepted_before == accepted_;
    const bool again = known.accepted_at_last == accepted_ && known.other_connection && !Contradicted(now);
    if (known.refusals > 0 && (first || again)) {
      const MonoTime apart = (known.enough ? known.last : known.first) + kApart;
      known.due = std::min(known.due, std::max(now + (first ? 0ms : kConfirmAfter), apart));
    }
  }
  Touch();
}

// Everything is there but what chance could have done as well.
bool Evidence::Ripe(const Case& known, MonoTime now) const {
  return known.refusals >= kRefusals && now - known.first >= kApart && known.other_connection &&
         accepted_ > known.accepted_before;
}

// A cloud that has begun to refuse everything refuses this record as well. So once more after that: when others were
// accepted in between, or when nothing else has failed either.
bool Evidence::Proven(Case& known, MonoTime now) {
  const bool before = std::exchange(known.enough, Ripe(known, now) && RefusedEnough(known, now));
  const bool counted = known.last == now;
  return before && known.enough && counted && (known.more_in_row == 0 || !OthersFail());
}

std::chrono::milliseconds Evidence::Rest(const Case& known, MonoTime now) const {
  const std::chrono::milliseconds most = Contradicted(now) ? kLongestRestContradicted : kLongestRest;
  std::chrono::milliseconds rest = kApart;
  for (std::uint32_t i = 1; i < known.attempts && rest < most; ++i) {
    rest *= 2;
  }
  return std::min(rest, most);
}

}  // namespace packhorse::delivery
