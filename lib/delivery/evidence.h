#pragma once

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "base/clock.h"
#include "delivery/contradictions.h"
#include "delivery/fault.h"
#include "delivery/share_refused.h"
#include "record/raw_message.h"

namespace packhorse::delivery {

// Is it the record, or is it the destination? What one refused or failed attempt proves, in the light of all others.
// The states are drawn in README.md. A pure state machine: no I/O, time is an argument and monotonic; one per
// destination; not thread-safe (loop). Memory: one Case per record under suspicion, which the caller bounds.

struct RecordKey {
  Lane lane = Lane::kNormal;
  Sequence sequence = 0;
  std::uint32_t record = 0;
  auto operator<=>(const RecordKey&) const = default;
};

// Requests that were no retrials of suspects. One that took some of its records counts as refused.
struct Tally {
  std::uint64_t accepted = 0;
  std::uint64_t refused = 0;  // on their merits
  std::uint64_t all() const { return accepted + refused; }
};

// What is known of one prepared batch; lives and dies with it.
struct Track {
  // All parts of a batch that was split have it in common.
  struct Origin {
    bool some_accepted = false;
    std::optional<RecordKey> first_refused;  // since then
    std::uint32_t culprits_in_a_row = 0;     // records that replies named, nothing being accepted
  };
  // A batch that was refused on its merits and split: a record of it is to blame, or else the refusal was not true.
  struct Refused {
    std::shared_ptr<Refused> of;  // it is a part of this one
    std::uint32_t open = 2;       // parts of which nothing is known yet
    bool explained = false;
    std::uint64_t holds = 0;  // how often the destination had been held by then
    bool rejected = false;    // kRejected
    // Before it was:
    Tally tally_before{};
    std::uint64_t requests_before = 0;
  };
  std::shared_ptr<Origin> origin = std::make_shared<Origin>();
  std::shared_ptr<Refused> part_of;
  std::uint32_t failures = 0;  // attempts in a row
  std::uint32_t asked = 0;     // how often something else was tried for it, and at which failure last
  std::uint32_t asked_at = 0;
  std::uint64_t accepted_before = 0;  // Evidence's count at the first of them
  bool searched = false;              // a part of a batch that failed, in search of the culprit
  bool search_parts = true;           // its parts are: not of one that is only too large

  // Of a part of it, once it is split.
  Track Part() const {
    Track part;
    part.origin = origin;
    part.part_of = part_of;
    part.accepted_before = accepted_before;
    part.searched = search_parts;
    return part;
  }
};

struct Attempt {
  Fault fault = Fault::kRejected;
  RecordKey first;  // the first record of the batch
  // Of several: the one for which the reply refuses all of them, and which may be taken out of the batch.
  std::optional<RecordKey> culprit;
  std::uint32_t records = 1;
  bool suspect = false;            // a suspect that is tried again
  std::uint64_t connection = 0;    // 0: not known
  bool others_wait = false;        // there is something else to try
  bool untried_waits = false;      // also something that was never tried
  bool smallest = true;            // of all batches that wait and can be split none is smaller, but for one record
  std::uint32_t alone_failed = 0;  // others that wait and failed, of one record each
  bool may_overtake = true;  // what waits behind may go before it: false where the receiver must get things in order
  bool may_split = true;     // false: its parts could not be recognised by a receiver that has it already
};

enum class Ruling : std::uint8_t {
  kRetry,     // again as it is, later
  kTryOther,  // first something else (Wants), to tell record and destination apart; then again
  kSplit,     // halve it, the culprit is in it
  kSetAside,  // a record alone, or the culprit: it becomes a suspect, or stays one
  kBury,      // likewise: proven
  kHold,      // it is the destination
  kWait,      // as kRetry; only a split would help, and must not be
};

// What should go next, so that record and destination can be told apart.
enum class Wants : std::uint8_t {
  kNothing,  // whatever the order says
  kNext,     // another batch than the one that failed, a small one if it can be, and one that was not tried yet
  kFar,      // one as far behind as there is: neighbours may all be refused on their merits
  kNewest,   // the newest that there is: what is old may all be refused for its age
};

class Evidence {
 public:
  // --- what happened ---
  // `last`: the last record of the batch; `all`: so were all the others. Whether that contradicts an earlier refusal:
  // each part of a batch that was refused on its merits is accepted.
  bool Accepted(Track& track, const RecordKey& last, std::uint64_t records, bool all, MonoTime now);
  // A batch was refused or failed as a whole, or a record alone.
  Ruling Failed(const Attempt& attempt, Track& track, MonoTime now);
  // A reply that took others of the batch names this record: counts as once refused alone. kSetAside or kBury.
  Ruling Named(const RecordKey& record, Track& track, std::uint64_t connection, MonoTime now);
  // These were delivered by one reply. The first of them that contradicts what was said of it; to be told before
  // Accepted().
  std::optional<RecordKey> Passed(const std::vector<RecordKey>& records, MonoTime now);
  // The destination is held, for whatever reason, or is no longer.
  void Held(bool held);

  // --- suspects: those for which a ruling was kSetAside ---
  // One of an earlier run: what was seen then is not counted again.
  void Adopt(const RecordKey& record, MonoTime now);
  void Forget(const RecordKey& record);
  bool Knows(const RecordKey& record) const { return cases_.contains(record); }
  bool any() const { return !cases_.empty(); }
  // All of them are tried again at once: somebody mended something.
  void Nudge(MonoTime now);
  // This one before all others.
  void Hasten(const RecordKey& record, MonoTime now);
  // Which one is to be tried next, and when; none: there are none. One that is tried is not named until its attempt
  // has been told.
  struct Next {
    RecordKey record;
    MonoTime at{};
  };
  std::optional<Next> NextSuspect() const;
  void Trying(const RecordKey& record);
  // Its attempt could not be made or told nothing: later.
  void Postpone(const RecordKey& record, MonoTime now);

  // --- answers; wants() after each ruling ---
  Wants wants() const { return wants_; }
  // Whether something was accepted within the last day that had been refused while others were accepted.
  bool Contradicted(MonoTime now) const { return contradictions_.Lately(now); }
  // A record was refused alone, and nothing was accepted since.
  bool refuses() const { return refused_in_a_row_ > 0; }
  // Several were refused in a row: it may be the backend to which the kept connection leads.
  bool DoubtsConnection() const { return definite_in_a_row_ >= kDoubtful; }
  // Of the records that were accepted, or refused for the first time, within the last ten minutes: 0 to 1.
  double share_refused(MonoTime now) const { return share_.Lately(now); }

 private:
  struct Case {
    bool in_batch = false;  // it is tried, or was never set aside
    bool adopted = false;   // it was refused in an earlier run
    MonoTime due{};
    std::uint32_t attempts = 0;  // that failed, whatever for
    std::uint32_t refusals = 0;  // of these: definite ones
    // At the first definite refusal:
    MonoTime first{};
    std::uint64_t connection = 0;
    std::uint64_t accepted_before = 0;
    std::uint64_t requests_before = 0;
    Tally tally_before;
    // The search that led to it: batches that were refused, each a half of the one before; none: 0.
    std::uint32_t halvings = 0;
    Tally tally_before_search;
    std::uint64_t requests_before_search = 0;
    // Refusals that had another request between them and the one before: the API may be another one by then.
    std::uint32_t refusals_apart = 0;
    std::uint64_t others_at_last = 0;    // other requests at the last of them
    std::uint32_t rows = 0;              // of refusals with nothing accepted between them
    std::uint32_t more_in_row = 0;       // in the present one, after the first, each kApart after the one before
    MonoTime last{};                     // of those that are counted so
    bool other_connection = false;       // since the first
    std::uint64_t accepted_at_last = 0;  // at the last refusal
    std::optional<std::uint64_t> accepted_at_hold;  // when the destination was held after that
    bool enough = false;                            // one refusal more, and it is proven
  };

  void Note(Case& known, Fault fault, std::uint64_t connection, MonoTime now);
  bool Proven(Case& known, MonoTime now);
  bool Ripe(const Case& known, MonoTime now) const;
  bool RefusedEnough(const Case& known, MonoTime now) const;
  void CountRow(Case& known, MonoTime now) const;
  bool OthersFail() const { return failures_ > failures_at_accepted_; }
  void HastenAfterOthers(MonoTime now);
  std::uint32_t RefusalsNeeded(const Case& known) const;
  std::uint32_t RefusalsContradicted(const Case& known) const;
  bool SearchTells(const Case& known, std::uint32_t refusals) const;
  static void NoteSearch(Case& known, const Track& track);
  // A part of it is known to be refused, or nothing can be said.
  static void Explain(const Track& track);
  bool Close(Track& track);
  std::chrono::milliseconds Rest(const Case& known, MonoTime now) const;
  Ruling Alone(const Attempt& attempt, Track& track, MonoTime now);
  Ruling Doubted(const Attempt& attempt, Track& track, MonoTime now);
  bool PartsTell(const Attempt& attempt, const Track& track) const;
  Ruling ToBlame(const Attempt& attempt, Track& track, MonoTime now);
  bool NewerPassed(const RecordKey& record, MonoTime now) const;
  Wants LookElsewhere(const Attempt& attempt) const;
  bool AsksOther(const Attempt& attempt, Track& track);
  Ruling Hold();
  std::uint32_t StreakThatHolds(MonoTime now) const;

  void Touch() { next_known_ = false; }
  std::map<RecordKey, Case> cases_;
  mutable bool next_known_ = false;
  mutable std::optional<Next> next_;
  bool some_wait_for_others_ = false;                // cases with nothing accepted since the last refusal
  std::uint64_t accepted_ = 0;                       // records
  std::uint64_t failures_ = 0;                       // of what was no suspect
  std::uint64_t failures_at_accepted_ = 0;           // when something was accepted last
  static constexpr std::chrono::seconds kApart{30};  // the last refusal that proves something, from the first
  static constexpr std::uint32_t kDoubtful = 2;
  std::uint32_t definite_in_a_row_ = 0;  // attempts refused on their merits since something was accepted
  std::uint32_t failed_in_a_row_ = 0;    // batches that failed since something was accepted
  std::optional<MonoTime> last_accepted_;
  std::uint64_t requests_ = 0;  // accepted ones
  Tally tally_;
  bool suspect_passes_ = false;          // what is accepted next is the retrial of a suspect
  std::uint64_t requests_at_doubt_ = 0;  // when a record that had been refused was accepted last
  std::uint64_t holds_ = 0;
  struct Newest {
    Sequence sequence = 0;
    MonoTime at{};
  };
  std::map<Lane, Newest> newest_accepted_;
  // Since something was accepted: messages of which a record was refused alone, where the neighbours of some were
  // accepted these count as one; and how often that was.
  std::set<RecordKey> refused_;
  std::uint32_t refused_in_a_row_ = 0;
  Wants asked_ = Wants::kNothing;   // what was tried for last before the destination is judged
  std::uint32_t newest_asked_ = 0;  // and how often in a row, if that is the newest
  Wants wants_ = Wants::kNothing;
  bool held_ = false;
  Contradictions contradictions_;
  ShareRefused share_;
};

}  // namespace packhorse::delivery
