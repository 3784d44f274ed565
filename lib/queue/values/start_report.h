#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"

namespace packhorse::queue {

// What became of a damaged database.
struct Salvaged {
  std::string because;
  std::string set_aside;  // where the damaged file is now
  std::uint64_t segments_kept = 0;
  std::uint64_t segments_lost = 0;   // that were found and did not hold
  std::uint64_t messages_lost = 0;   // pending ones, once per destination: dropped as "damaged" in the ledger
  std::vector<std::string> damaged;  // tables that could not be read whole
  bool sent_again = false;           // what had been sent is not known any more: everything stored is pending again
};

// What was acknowledged and is gone, as a witness outside the database tells (witness.h). Messages count once for each
// destination for which they waited.
struct Loss {
  enum class What : std::uint8_t {
    kGone,     // there is no database any more, or an empty one
    kOlder,    // it is another one: an older copy, or one without its write-ahead log
    kDamaged,  // it was damaged: see Salvaged
    kJournal,  // the journal does not hold what it should
  };
  What what = What::kGone;
  std::uint64_t at_least = 0;
  std::uint64_t at_most = 0;
  bool unknown = false;               // there may be more, nobody knows how many
  std::chrono::seconds uncounted{0};  // what came so shortly before the end comes on top
  WallTime witnessed_at{};            // when the witness on the disk was written; epoch: it is of this boot
};

// The database was removed or replaced while it was open.
struct Replaced {
  std::uint64_t times = 0;
  std::string problem;  // why what it held could not be written into a new file yet
  bool operator==(const Replaced&) const = default;
};

// How the queue was found when it was opened.
struct StartReport {
  enum class How : std::uint8_t {
    kClean,           // after an orderly end, or new
    kRecovered,       // after a crash: the journal had everything
    kWithoutJournal,  // after a power cut, or the runtime directory was lost: what only the journal had is gone
  };
  How how = How::kClean;
  std::uint64_t operations = 0;       // taken from the journal
  std::uint64_t foreign_entries = 0;  // journal entries of another queue or another time, left alone
  std::string problem;                // why the journal could not be read to its end
  std::string journal_error;          // why there is no journal: everything waits for the disk
  std::string reserve_file_error;     // why no room is set aside for a full disk
  std::string renewed_from;           // the queue id until now; empty while it stays
  std::string renewed_because;
  std::string witness_error;  // why there is no witness, on the disk or in the runtime folder
  std::optional<Salvaged> salvaged;
  std::optional<Loss> loss;
  // Where the counters of the ledger contradict themselves or each other: one line each.
  std::vector<std::string> ledger_contradictions;
};

}  // namespace packhorse::queue
