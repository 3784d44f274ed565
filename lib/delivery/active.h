#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "batch/lane_scheduler.h"
#include "contract/cloud_contract.h"
#include "delivery/evidence.h"
#include "delivery/exchanges.h"
#include "delivery/fault.h"
#include "delivery/pacing.h"
#include "limit/concurrency.h"
#include "outcome/outcome_rules.h"
#include "queue/queue.h"
#include "upload/uploader.h"

namespace packhorse::delivery {

// Until it is looked again where nothing is due.
inline constexpr std::chrono::seconds kIdle{3'600};
// Why a record that cannot be written as the API wants it is a dead letter, or a suspect.
inline constexpr std::string_view kUnfit = "unfit";
// Request line and headers, until the attempt shows how many bytes they are.
inline constexpr std::uint64_t kHeadBytes = 1'024;

// Of a batch that goes by the present contract, since the newer one of a rollout did not get it through.
struct SecondTry {
  std::uint32_t of = 0;   // records of the request by the newer contract
  bool definite = false;  // the API refused that request; else it may have been an outage
  std::string words;      // of the refusal
  MonoTime refused_at{};
};

// A prepared batch on its way. Owned by its line; a callback that is still out shares it, so that the bytes being
// sent outlive a rebuilt destination.
struct Active {
  // kConfirming: the API has it, and is asked until it says that it is stored. After a restart it is sent again.
  enum class State : std::uint8_t { kReady, kSending, kConfirming, kSettling };
  queue::PreparedBatch batch;
  State state = State::kReady;
  std::uint32_t attempts = 0;
  Pacing::Ticket ticket;               // of the request that is under way
  std::uint32_t unknown_outcomes = 0;  // attempts: each doubles the timeout of the next
  bool may_have_arrived = false;       // an attempt ended without a known outcome
  bool from_before = false;            // it may be under way since before a restart, and was not sent since
  bool backlog = false;                // of the line of the backlog; after a restart all go in the other
  MonoTime tried_at{};                 // it, or the batch of which it is a part
  bool mended = false;                 // of a dead letter with another payload: it cannot be rendered again
  bool newest = false;                 // prepared before its turn, to see whether what is new passes
  bool waits_for_other = false;        // until something else was tried
  bool held = false;                   // it waits because the API does not take the time of a record
  bool has_successors = false;         // settling into other batches: what is behind has to wait
  bool other_credential_tried = false;
  bool credentials_refreshed = false;
  // Nothing else of its line may be on its way beside it: it is to tell whether it is the record or the destination.
  bool goes_alone = false;
  limit::Concurrency::Flight flight = 0;  // of the attempt that is under way
  SentRequest sent;                       // the last attempt
  std::uint64_t credential = 0;           // auth::Authorizer::generation() of the last attempt
  std::uint32_t rests = 0;                // it is what partial successes left, so many in a row of which took little
  Track track;
  std::optional<queue::Suspicion> suspicion;  // of a suspect that is tried again
  std::optional<SecondTry> second_try;
  bool stays_newer = false;  // it cannot be rendered again by the present contract
  MonoTime not_before{};
  struct Confirming {
    contract::ConfirmKey key;
    MonoTime ask_at{};
    MonoTime until{};
    bool asking = false;
    std::string last;  // the last answer, for people
  };
  Confirming confirming;  // state kConfirming

  bool alone() const { return batch.records == 1; }
  RecordKey first() const {
    const queue::Member& member = batch.members.front();
    return RecordKey{batch.lane, member.sequence, member.first_record};
  }
  RecordKey last() const {
    const queue::Member& member = batch.members.back();
    return RecordKey{batch.lane, member.sequence, member.first_record + member.records - 1};
  }
  // Beyond what delivery costs anyway: the search for what is refused has a budget of its own.
  bool search() const { return track.searched || suspicion.has_value(); }
};

// So are probes and every attempt of the search.
inline bool GoesAlone(const Active& active) { return active.goes_alone || active.newest || active.search(); }

inline batch::Line LineNameOf(const Active& active) {
  return active.batch.replay != 0 ? batch::kReplayLine : batch::Line{active.batch.lane, active.backlog};
}
inline bool KnownToBeThrottled(const Active& active) {
  return active.suspicion && active.suspicion->reason == Name(Fault::kThrottled);
}

using ActivePtr = std::shared_ptr<Active>;
inline limit::Cost CostOf(const Active& active) {
  return limit::Cost{1, active.batch.item_count(), active.batch.body.size()};
}
inline std::uint64_t BytesOf(const Active& active) { return active.batch.body.size() + kHeadBytes; }

// A reply without the transport library's types.
outcome::Reply ToReply(upload::Response&& response);

// Batches prepared before their turn, as probes, and with their parts.
inline constexpr std::ptrdiff_t kMaxProbes = 16;
inline constexpr std::size_t kLongestLine = 64;

// A lane, its backlog or the replay, as far as it is prepared.
struct LineState {
  std::deque<ActivePtr> line;  // in the order in which they must be sent
  bool preparing = false;
  bool held = false;              // what is next waits because the API does not take its time
  Wants wants = Wants::kNothing;  // instead of its first
  MonoTime prepare_not_before{};
  std::optional<MonoTime> oldest_seen;  // when the oldest waiting message was first noticed
};

inline auto CountIn(const LineState& line, Active::State state) {
  return std::count_if(line.line.begin(), line.line.end(),
                       [state](const ActivePtr& active) { return active->state == state; });
}

// Whether one more batch of the line may be prepared before its turn.
inline bool MayProbe(const LineState& line) {
  const auto probes =
      std::count_if(line.line.begin(), line.line.end(), [](const ActivePtr& active) { return active->newest; });
  return probes < kMaxProbes && line.line.size() < kLongestLine;
}

// A finished attempt.
struct Answer {
  outcome::Verdict verdict;
  int status = 0;
  upload::Transport transport = upload::Transport::kOk;
  std::uint64_t connection = 0;
  MonoTime now{};
  // Of a reply that took nothing: the one record that it names for that, and the others of the batch.
  std::optional<RecordKey> culprit;
  std::vector<queue::Member> others;
};

// The request that was answered asks whether the batch is stored.
inline bool IsQuestion(const Active& active) { return active.state == Active::State::kConfirming; }
inline bool RefusesPace(const Active& active, const Answer& answer) {
  return answer.verdict.action == outcome::Action::kThrottled ||
         (IsQuestion(active) && Pacing::PaceOfQuestion(answer.status) == Pacing::Told::Pace::kRefused);
}

}  // namespace packhorse::delivery
