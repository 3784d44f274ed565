#include "delivery/evidence.h"

#include <algorithm>
#include <array>
#include <utility>

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;

// Failures in a row, about a minute of them, after which parts are tried where there is nothing else.
constexpr std::uint32_t kFailuresUntilSplit = 8;
// So many parts that fail in a row are still taken for what the search expects, and not for an outage.
constexpr std::uint32_t kFailingParts = 3;
// So many failures in a row end the turns of parts before the destination is held.
constexpr std::uint32_t kMostTurns = 64;
// The newest message may be one at which the destination fails; two in a row seldom are.
constexpr std::uint32_t kNewestAsked = 2;
constexpr std::uint32_t kFailedAlone = 4;
// Records that replies may name in a row, one a request, while nothing of their batch is accepted: then the names are
// not believed.
constexpr std::uint32_t kCulpritsInARow = 2;
constexpr std::uint32_t kLookElsewhereAfter = 2;
constexpr auto kLately = 10min;
constexpr std::uint32_t kPatience = 3;

// While the destination fails altogether a batch asks others less and less often: what they would gain is seldom, and
// they overtake it when they pass.
constexpr std::uint32_t kOftenAsked = 3;
constexpr std::uint32_t kSeldom = 4;

RecordKey MessageOf(const RecordKey& record) { return RecordKey{record.lane, record.sequence, 0}; }

}  // namespace

bool Evidence::Accepted(Track& track, const RecordKey& last, std::uint64_t records, bool all, MonoTime now) {
  share_.Accepted(records, now);
  track.origin->some_accepted = true;
  track.origin->culprits_in_a_row = 0;
  refused_.clear();
  refused_in_a_row_ = 0;
  failed_in_a_row_ = 0;
  definite_in_a_row_ = 0;
  asked_ = Wants::kNothing;
  wants_ = Wants::kNothing;
  HastenAfterOthers(now);
  accepted_ += records;
  failures_at_accepted_ = failures_;
  ++requests_;
  if (!std::exchange(suspect_passes_, false)) {
    ++(all ? tally_.accepted : tally_.refused);
  }
  last_accepted_ = now;
  Newest& newest = newest_accepted_[last.lane];
  if (last.sequence >= newest.sequence || now - newest.at >= kLately) {
    newest = Newest{last.sequence, now};
  }
  if (!all) {
    Explain(track);
    return false;
  }
  const bool contradicts = Close(track);
  if (contradicts) {
    contradictions_.Note(now);
  }
  return contradicts;
}

void Evidence::Explain(const Track& track) {
  for (std::shared_ptr<Track::Refused> refused = track.part_of; refused; refused = refused->of) {
    refused->explained = true;
  }
}

// A part was accepted. Where that was the last one, and no other was refused, nothing explains why the whole was.
bool Evidence::Close(Track& track) {
  for (std::shared_ptr<Track::Refused> refused = std::move(track.part_of); refused; refused = refused->of) {
    if (--refused->open > 0) {
      return false;
    }
    if (!refused->explained) {
      return refused->holds == holds_;  // else something was mended in between
    }
  }
  return false;
}

// What is refused may be so for its age.
bool Evidence::NewerPassed(const RecordKey& record, MonoTime now) const {
  const auto newest = newest_accepted_.find(record.lane);
  return newest != newest_accepted_.end() && newest->second.sequence > record.sequence &&
         now - newest->second.at < kLately;
}

Ruling Evidence::Failed(const Attempt& attempt, Track& track, MonoTime now) {
  wants_ = Wants::kNothing;
  definite_in_a_row_ += Definite(attempt.fault) && !attempt.suspect ? 1U : 0U;
  tally_.refused += Definite(attempt.fault) && !attempt.suspect ? 1U : 0U;
  failures_ += attempt.suspect || attempt.fault == Fault::kThrottled ? 0U : 1U;
  if (attempt.suspect || (attempt.records == 1 && Definite(attempt.fault))) {
    return Alone(attempt, track, now);
  }
  if (attempt.culprit && attempt.may_overtake && track.origin->culprits_in_a_row < kCulpritsInARow) {
    ++track.origin->culprits_in_a_row;
    Attempt alone = attempt;
    alone.first = *attempt.culprit;
    return Alone(alone, track, now);
  }
  if (Definite(attempt.fault)) {
    track.accepted_before = accepted_;
    const bool rejected = attempt.fault == Fault::kRejected;
    track.part_of = std::make_shared<Track::Refused>(Track::Refused{
        track.part_of, 2, !rejected, holds_, rejected, {tally_.accepted, tally_.refused - 1}, requests_});
    track.search_parts = track.searched || attempt.fault != Fault::kTooLarge;
    wants_ = LookElsewhere(attempt);
    return Ruling::kSplit;
  }
  return Doubted(attempt, track, now);
}

// A record alone was refused on its merits, or a suspect failed again for whatever reason.
Ruling Evidence::Alone(const Attempt& attempt, Track& track, MonoTime now) {
  Explain(track);
  Case& known = cases_[attempt.first];
  const bool new_here = known.refusals == 0;
  if (new_here) {
    NoteSearch(known, track);
  }
  Note(known, attempt.fault, attempt.connection, now);
  if (Definite(attempt.fault) && Proven(known, now)) {
    Forget(attempt.first);
    return Ruling::kBury;
  }
  if (attempt.suspect) {
    return Ruling::kSetAside;
  }
  if (new_here) {
    share_.Refused(now);
    ++refused_in_a_row_;
  }
  if (new_here && !NewerPassed(attempt.first, now)) {
    std::optional<RecordKey>& one_for_all = track.origin->first_refused;
    if (track.origin->some_accepted && !one_for_all) {
      one_for_all = MessageOf(attempt.first);
    }
    refused_.insert(one_for_all.value_or(MessageOf(attempt.first)));
  }
  Ruling ruling = attempt.may_overtake ? Ruling::kSetAside : Ruling::kWait;
  const std::uint32_t streak = StreakThatHolds(now);
  if (refused_in_a_row_ >= streak && asked_ != Wants::kNewest && attempt.may_overtake && attempt.others_wait) {
    // Nothing passes. Before it is the destination's fault the newest is asked: what is old may be refused for that.
    asked_ = wants_ = Wants::kNewest;
    ruling = new_here ? Ruling::kSetAside : Ruling::kTryOther;
  } else if (refused_.size() >= streak) {
    ruling = Hold();
  } else {
    wants_ = LookElsewhere(attempt);
  }
  known.in_batch = ruling != Ruling::kSetAside;
  return ruling;
}

Wants Evidence::LookElsewhere(const Attempt& attempt) const {
  return attempt.may_overtake && refused_in_a_row_ >= kLookElsewhereAfter ? Wants::kFar : Wants::kNothing;
}

Ruling Evidence::Hold() {
  asked_ = wants_ = Wants::kNothing;
  return Ruling::kHold;
}

// First the next batch, then what is newest: it is asked alone, so that it passes even where every batch has a record
// at which the destination fails.
bool Evidence::AsksOther(const Attempt& attempt, Track& track) {
  const std::uint32_t most = Holds(attempt.fault) && !held_ ? kNewestAsked : 1;
  if (!attempt.may_overtake || !attempt.others_wait || (asked_ == Wants::kNewest && newest_asked_ >= most)) {
    return false;
  }
  const bool goes_on = asked_ != Wants::kNothing;
  // Parts that were all tried take turns anyway.
  if (!attempt.untried_waits && (goes_on || track.searched)) {
    return false;
  }
  const std::uint32_t apart = TriesOf(attempt.fault, track.searched) * (track.asked < kOftenAsked ? 1 : kSeldom);
  if (!goes_on && !Holds(attempt.fault) && track.failures - track.asked_at < apart) {
    return false;
  }
  if (!goes_on) {
    ++track.asked;
    track.asked_at = track.failures;
    newest_asked_ = 0;
  }
  asked_ = wants_ = goes_on || held_ ? Wants::kNewest : Wants::kNext;
  newest_asked_ = asked_ == Wants::kNewest ? newest_asked_ + 1 : 0;
  return true;
}

// Nothing else tells, and parts of it can. Only the smallest batch is split, until so many records have failed alone
// that they tell of the destination: an outage splits one batch, and not into all its records.
bool Evidence::PartsTell(const Attempt& attempt, const Track& track) const {
  if (attempt.records == 1 || !attempt.may_split || !attempt.may_overtake || attempt.alone_failed >= kFailedAlone) {
    return false;
  }
  if (track.searched) {
    return attempt.fault != Fault::kThrottled;
  }
  if (attempt.untried_waits || attempt.fault == Fault::kThrottled) {
    return false;
  }
  return Holds(attempt.fault) ? held_ : failed_in_a_row_ >= kFailuresUntilSplit;
}

// The destination works: it is the batch.
Ruling Evidence::ToBlame(const Attempt& attempt, Track& track, MonoTime now) {
  Explain(track);
  if (attempt.records > 1) {
    track.accepted_before = accepted_;
    return attempt.may_split ? Ruling::kSplit : Ruling::kWait;
  }
  if (!attempt.may_overtake) {
    return Ruling::kWait;
  }
  if (!cases_.contains(attempt.first)) {
    share_.Refused(now);
  }
  Note(cases_[attempt.first], attempt.fault, attempt.connection, now);
  return Ruling::kSetAside;
}

// A batch failed in a way that may as well be the destination's: whether others pass beside it tells.
Ruling Evidence::Doubted(const Attempt& attempt, Track& track, MonoTime now) {
  if (track.failures == 0 && !track.searched) {
    track.accepted_before = accepted_;
  }
  ++track.failures;
  ++failed_in_a_row_;
  const bool searched = track.searched && attempt.fault != Fault::kThrottled;
  if (track.failures < TriesOf(attempt.fault, track.searched)) {
    return Ruling::kRetry;
  }
  if (accepted_ > track.accepted_before || (searched && last_accepted_ && failed_in_a_row_ <= kFailingParts)) {
    return ToBlame(attempt, track, now);
  }
  if (AsksOther(attempt, track)) {
    return Ruling::kTryOther;
  }
  const bool asked = std::exchange(asked_, Wants::kNothing) != Wants::kNothing;
  if (attempt.may_overtake && (track.searched || !attempt.untried_waits)) {
    wants_ = Wants::kNext;  // in turn: one of the parts may be all right
  }
  if (PartsTell(attempt, track)) {
    if (attempt.smallest) {
      return Ruling::kSplit;
    }
    if (Holds(attempt.fault) && track.searched && failed_in_a_row_ < kMostTurns) {
      return Ruling::kTryOther;
    }
  }
  if (Holds(attempt.fault)) {
    // It works otherwise, as far as is known: something else may come to be tried.
    const bool lately = last_accepted_ && now - *last_accepted_ < kLately;
    return !asked && lately && track.failures < kPatience ? Ruling::kRetry : Hold();
  }
  if (attempt.fault == Fault::kTimesOut && track.failures >= TriesOf(attempt.fault, false) && attempt.records > 1) {
    // Nothing else tells, and what is smaller may get through.
    return attempt.may_split ? Ruling::kSplit : Ruling::kWait;
  }
  return Ruling::kRetry;
}

Ruling Evidence::Named(const RecordKey& record, Track& track, std::uint64_t connection, MonoTime now) {
  Attempt attempt;
  attempt.first = record;
  attempt.suspect = true;  // says nothing of the destination: it took others
  attempt.connection = connection;
  if (!cases_.contains(record)) {
    share_.Refused(now);
  }
  const Ruling ruling = Alone(attempt, track, now);
  if (const auto known = cases_.find(record); known != cases_.end()) {
    known->second.accepted_at_last = accepted_ - 1;  // others passed beside it
  }
  return ruling;
}

std::optional<RecordKey> Evidence::Passed(const std::vector<RecordKey>& records, MonoTime now) {
  std::optional<RecordKey> first;
  std::uint32_t most_refusals = 0;
  for (const RecordKey& record : records) {
    const auto found = cases_.find(record);
    if (found == cases_.end()) {
      continue;
    }
    const Case known = found->second;
    Forget(record);
    suspect_passes_ = true;
    if (known.refusals > 0 || known.adopted) {
      requests_at_doubt_ = requests_;
    }
    if (known.refusals == 0) {
      continue;
    }
    // Where the destination was held in between, something was mended: then only what came before that contradicts.
    if (known.accepted_at_hold.value_or(accepted_) != known.accepted_at_last) {
      first = first.value_or(record);
      most_refusals = std::max(most_refusals, known.refusals);
    }
  }
  if (first) {
    // What passes together was refused together: it says as much as one.
    contradictions_.NotePassed(most_refusals, now);
  }
  return first;
}

void Evidence::Held(bool held) {
  held_ = held;
  if (!held) {
    return;
  }
  ++holds_;
  for (auto& [record, known] : cases_) {
    if (!known.accepted_at_hold) {
      known.accepted_at_hold = accepted_;
    }
  }
}

void Evidence::Adopt(const RecordKey& record, MonoTime now) {
  Case& known = cases_[record];
  known.adopted = true;
  known.attempts = 1;
  known.due = now + kApart;
  Touch();
}

void Evidence::Forget(const RecordKey& record) {
  cases_.erase(record);
  Touch();
}

void Evidence::Nudge(MonoTime now) {
  for (auto& [record, known] : cases_) {
    known.due = std::min(known.due, now);
  }
  Touch();
}

void Evidence::Hasten(const RecordKey& record, MonoTime now) {
  const auto known = cases_.find(record);
  if (known != cases_.end()) {
    known->second.due = std::min(known->second.due, now);
    Touch();
  }
}

std::optional<Evidence::Next> Evidence::NextSuspect() const {
  if (!next_known_) {
    next_known_ = true;
    next_.reset();
    for (const auto& [record, known] : cases_) {
      if (!known.in_batch && (!next_ || known.due < next_->at)) {
        next_ = Next{record, known.due};
      }
    }
  }
  return next_;
}

void Evidence::Trying(const RecordKey& record) {
  cases_[record].in_batch = true;
  Touch();
}

void Evidence::Postpone(const RecordKey& record, MonoTime now) {
  Case& known = cases_[record];
  known.in_batch = false;
  known.due = now + kApart;
  Touch();
}

}  // namespace packhorse::delivery
