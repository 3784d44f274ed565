#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "queue/sqlite/database.h"
#include "queue/sqlite/transaction.h"
#include "queue/state/checkpoint_work.h"

namespace packhorse::queue {

// What a full check has found.
struct CheckReport {
  static constexpr std::size_t kMaxProblems = 100;
  std::uint64_t segments = 0;
  std::uint64_t messages = 0;  // in segments
  std::uint64_t payload_bytes = 0;
  std::uint64_t batches = 0;
  std::uint64_t dead_letters = 0;
  std::uint64_t suspects = 0;
  std::uint64_t quarantined = 0;
  std::vector<std::string> problems;  // one line each, the first kMaxProblems
  std::uint64_t problem_count = 0;
  std::string damage;  // the first of them that says that bytes are not what was written; empty: none does
};

// The full check of a queue's database, piece by piece, so that whoever runs it can do other things in between: the
// ledger's identity P3, with pending counted again from what is stored; every segment, batch, dead letter,
// suspect and quarantined message decodes; ranges, batches and the counters of the lanes agree. Reads one commit, on a
// connection of its own: until it ends SQLite's log cannot be emptied. Memory: one segment, and what is in flight. Not
// thread-safe.
class Check {
 public:
  static Result<std::unique_ptr<Check>> Begin(const std::string& path);

  // Goes on with about `bytes` of stored data; true when all is done. What cannot be read is a problem of the report.
  bool Step(std::uint64_t bytes);
  // Where it has come to; complete once Step() has said so.
  const CheckReport& report() const { return report_; }

 private:
  using Account = std::pair<StreamId, DestinationId>;
  // A stretch of a lane, of one stream or of all (0).
  struct Span {
    std::int64_t id = 0;
    DestinationId destination = 0;
    StreamId stream = 0;
    Lane lane = Lane::kNormal;
    Sequence from = 0;
    std::optional<Sequence> through;
    std::optional<std::uint64_t> waiting;  // as the database says
    std::uint64_t counted = 0;
    bool Holds(Lane at, Sequence sequence) const {
      return lane == at && sequence >= from && (!through || sequence <= *through);
    }
  };
  struct LaneState {
    Sequence next = 0;
    SegmentTotals said;
    SegmentTotals counted;
    Sequence last_stored = 0;  // of the segments seen so far
  };
  // One walk over the rows of a query.
  struct Phase {
    std::string sql;
    Status (Check::*row)(const Statement& row, std::uint64_t& bytes);
  };

  explicit Check(Database db) : db_(std::move(db)) {}
  Status Prepare();
  bool NextPhase();
  void Finish();
  void Note(std::string problem);
  void NoteDamage(std::string problem);
  void NoteUnreadable(const Error& error);

  Status OnPage(const Statement& row, std::uint64_t& bytes);
  Status OnName(const Statement& row, std::uint64_t& bytes);
  Status OnLane(const Statement& row, std::uint64_t& bytes);
  Status OnLastNumbers(const Statement& row, std::uint64_t& bytes);
  Status OnSubscription(const Statement& row, std::uint64_t& bytes);
  Status OnRange(const Statement& row, std::uint64_t& bytes);
  Status OnBatch(const Statement& row, std::uint64_t& bytes);
  Status OnGivenUp(const Statement& row, std::uint64_t& bytes);
  Status OnSuspect(const Statement& row, std::uint64_t& bytes);
  Status OnPartial(const Statement& row, std::uint64_t& bytes);
  Status OnSegment(const Statement& row, std::uint64_t& bytes);
  Status OnKept(const Statement& row, std::uint64_t& bytes);
  Status OnAccount(const Statement& row, std::uint64_t& bytes);
  // The messages of one segment, counted; an error when they do not decode.
  Status ReadMessages(Lane lane, Sequence first, std::string_view blob, SegmentTotals& held, Sequence& last);
  void CountMessage(Lane lane, Sequence sequence, StreamId stream);
  void CheckMember(const PreparedBatch& batch, DestinationId destination, const Member& member);
  void CompareCounts();
  std::string DestinationName(DestinationId id) const;

  Database db_;
  std::optional<Transaction> transaction_;
  Statement rows_;
  std::vector<Phase> phases_;
  std::size_t phase_ = 0;
  bool ended_ = false;
  std::map<StreamId, std::string> streams_;
  std::map<DestinationId, std::string> destinations_;
  std::array<LaneState, kLanes> lanes_{};
  std::array<std::array<Sequence, kLanes>, 2> last_numbers_{};  // of the row before: earlier ids, boots
  std::vector<Span> subscriptions_;
  std::vector<Span> ranges_;
  std::set<PartialKey> members_;                            // messages in prepared batches, or set aside
  std::set<PartialKey> suspects_;                           // messages of which a record is set aside
  std::map<std::pair<Lane, Sequence>, BatchId> unseen_;     // of these, the ones whose bytes are still to be found
  std::set<std::pair<PartialKey, std::uint32_t>> records_;  // in prepared batches
  std::map<Account, std::int64_t> counted_;                 // pending messages
  CheckReport report_;
};

// All of it at once.
Result<CheckReport> CheckAll(const std::string& path);

}  // namespace packhorse::queue
