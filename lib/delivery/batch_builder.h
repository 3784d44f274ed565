#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "batch/batch.h"
#include "contract/cloud_contract.h"
#include "delivery/accepted_times.h"
#include "delivery/delivery.h"
#include "delivery/rollout.h"
#include "delivery/working_ahead.h"
#include "queue/ports/delivery.h"

namespace packhorse::delivery {

// Makes prepared batches: decodes stored messages, renders their records and puts as many together as the limits allow.
// No state but its options, and what is made ahead of the next batch. Loop thread, with one that works ahead.

struct BuilderOptions {
  std::string destination;
  std::string gateway_id;
  std::map<std::string, std::string> gateway_attributes;
  std::shared_ptr<const contract::CloudContract> contract;
  contract::SettingValues settings;            // of the contract
  std::string coding;                          // content coding of bodies; empty: none
  std::chrono::milliseconds backfill_after{};  // records that waited for so long are flagged
  AcceptedTimes accepted;
  // Told of each record of which items were left out, whenever it is rendered.
  std::function<void(const std::string& record_id, const contract::RenderedRecord& record)> left_out;
  Rollout* rollout = nullptr;  // of a newer contract; null: none
};

class BatchBuilder {
 public:
  BatchBuilder(BuilderOptions options, queue::DeliveryPort& queue, const Streams& streams, const Clock& clock);
  ~BatchBuilder();
  BatchBuilder(const BatchBuilder&) = delete;
  BatchBuilder& operator=(const BatchBuilder&) = delete;

  struct Built {
    queue::PrepareRequest request;
    OutsideTimes outside;  // of messages of which nothing is sent
    // Why the lane waits at the message behind `request.through`: its time is not taken. Empty: it does not wait.
    std::string held;

    // Nothing was looked at that could be taken.
    bool empty() const { return held.empty() && request.batches.empty() && request.resolutions.empty(); }
    bool moves() const { return held.empty() || !request.batches.empty() || !request.resolutions.empty(); }
  };
  // What to prepare of what is next in a line, at most `most` messages of it: as many whole messages as fit `limits`,
  // and those that end without an upload. A message with more records than a batch may hold becomes several batches; so
  // do records of several parts. Records that are unfit lie in a batch of their own that is not sent
  // (queue::PreparedBatch::unsent): see Judge(). Where more waits, those of the batch after this one are being made
  // when it returns.
  Result<Built> BuildNext(queue::LanePart of, std::size_t most, const batch::Options& limits);
  // Lets go what was made ahead and not asked for within ten seconds.
  void ForgetOldLook();
  // Likewise of what is newest, for a probe; empty() where nothing can be taken.
  Result<Built> BuildNewest(queue::LanePart of, const batch::Options& limits);
  // Likewise of these messages.
  Result<Built> BuildThese(Lane lane, queue::Pending pending, const batch::Options& limits);
  // Likewise of a replay.
  Result<Built> BuildReplay(queue::ReplayId replay, queue::ReplayPart part, const batch::Options& limits);

  // A batch of exactly these members of another one, its remainder or its half: decoded and rendered anew, or cut out
  // of the bytes of that one.
  Result<std::unique_ptr<queue::PreparedBatch>> Rebuild(const queue::PreparedBatch& from,
                                                        const std::vector<queue::Member>& members) const;

  // Batches of dead letters of one lane, flagged as replayed: one for each part. kInvalidArgument: none of them is fit.
  struct Redriven {
    std::vector<std::int64_t> letters;
    std::unique_ptr<queue::PreparedBatch> batch;
  };
  Result<std::vector<Redriven>> Replay(Lane lane, const std::vector<queue::DeadLetter>& letters) const;

  // What each record of a batch is now, in order: decoded and rendered anew, by the contract that is in use.
  Result<std::vector<contract::RenderedRecord>> Judge(const queue::PreparedBatch& batch) const {
    return JudgeBy(PresentContract(), batch);
  }

  // PreparedBatch::born of a batch of an earlier run; none where any age is taken, or its records cannot be judged.
  std::optional<std::chrono::nanoseconds> BornOf(const queue::PreparedBatch& batch) const;

  // A batch of one record that was set aside, rendered anew; unsent() while it is unfit.
  Result<std::unique_ptr<queue::PreparedBatch>> Retry(const queue::Suspect& suspect) const;

  // Batches of these members of a batch that the newer contract of a rollout has made, by the present one: one for each
  // part, and one that is not sent for what is unfit.
  Result<std::vector<std::unique_ptr<queue::PreparedBatch>>> ByPresent(const queue::PreparedBatch& from,
                                                                       const std::vector<queue::Member>& members) const;

  // Which times are taken of what is rendered by this contract, and by the one that is in use.
  const AcceptedTimes& AcceptedBy(std::string_view contract) const;
  const AcceptedTimes& Accepted() const { return AcceptedBy(PresentContract()); }

  // Record ids of a batch, in the order of its members.
  std::vector<std::string> RecordIds(const queue::PreparedBatch& batch) const;

  std::string MemberRecordId(Lane lane, const queue::Member& member, std::uint32_t record) const;

  // The records of a member, decoded anew.
  Result<std::vector<CanonicalRecord>> RecordsOf(Lane lane, const queue::Member& member) const;

  // What the batch is called on the wire.
  contract::BatchHeader HeaderOf(const queue::PreparedBatch& batch) const;

 private:
  struct Draft;
  class Assembly;
  // Whether a time that the API does not take keeps a record back. What is a part of what was judged before does not
  // ask again: that is judged as a whole before it is sent.
  enum class Times : std::uint8_t { kJudged, kTaken };
  struct Arrival {
    WallTime received_at{};
    std::chrono::microseconds age{};  // at least, as of now
    bool clock_known = false;         // how late a device's time was is known by it
  };
  Result<std::unique_ptr<queue::PreparedBatch>> Decoded(const queue::PreparedBatch& from,
                                                        const std::vector<queue::Member>& members) const;
  Result<std::unique_ptr<queue::PreparedBatch>> Cut(const queue::PreparedBatch& from,
                                                    const std::vector<queue::Member>& members) const;
  // The member's records of this message, decoded anew; and rendered.
  Result<std::vector<CanonicalRecord>> DecodeMember(const queue::StoredMessage& stored, Lane lane,
                                                    const queue::Member& member) const;
  Result<std::vector<contract::RenderedRecord>> Again(const queue::StoredMessage& stored, const queue::Member& member,
                                                      const Draft& draft, Times times) const;
  Result<std::vector<std::string>> ItemsOf(const queue::PreparedBatch& batch) const;
  // All of a batch but the coding of its body; and that.
  std::unique_ptr<queue::PreparedBatch> Compose(Draft draft) const;
  Status Code(queue::PreparedBatch& batch) const;
  Result<std::unique_ptr<queue::PreparedBatch>> Finish(Draft draft) const;
  // The contract that is in use: the configured one, and once a rollout is finished the newer one.
  const std::string& PresentContract() const;
  // The one of the two that made the batch.
  const std::string& MakerOf(const queue::PreparedBatch& batch) const;
  Result<std::vector<contract::RenderedRecord>> JudgeBy(const std::string& contract,
                                                        const queue::PreparedBatch& batch) const;
  // By which parts of a batch are rendered: by the one that made it, while that is in use.
  const std::string& ContractOfParts(const queue::PreparedBatch& from) const;
  bool IsNewer(std::string_view contract) const;
  const contract::CloudContract& ContractBy(std::string_view name) const;
  const std::string& CodingBy(std::string_view name) const;
  Draft NewDraft(Lane lane, WallTime created_at, queue::ReplayId replay, const std::string& contract) const;
  struct Start {
    Lane lane = Lane::kNormal;
    queue::ReplayId replay = 0;
  };
  // Whose batches follow each other: at most so many messages each.
  struct Ahead {
    queue::LanePart of;
    std::size_t most = 0;
  };
  struct Looked;
  struct Look;
  std::shared_ptr<Looked> LookAt(const Start& start, queue::Pending pending) const;
  std::unique_ptr<Look> Begin(const std::shared_ptr<Looked>& looked);
  // Of payload, of what follows number `through`; none: it is not worth to begin before its turn.
  std::optional<std::uint64_t> BytesOfNext(const Ahead& ahead, const Looked& before, Sequence through) const;
  void BeginNext(const Ahead& ahead, const Start& start, Sequence through, std::uint64_t bytes);
  Status FinishAndBeginNext(Assembly& assembly, queue::PrepareRequest& request, const std::optional<Ahead>& ahead,
                            const Looked& looked);
  // The look that has begun, if it is of this line and still what a look shows now; else null.
  std::unique_ptr<Look> TakeNext(queue::LanePart of, std::size_t most);
  // Whatever the coded bodies turn out to be: Fill() with limits that keep them within what the API takes.
  Result<Built> FillWithin(std::unique_ptr<Look> look, batch::Options limits, const std::optional<Ahead>& ahead);
  Result<Built> Fill(std::unique_ptr<Look> look, const batch::Options& limits, const std::optional<Ahead>& ahead);
  contract::Decoded DecodeNew(const Streams& streams, Lane lane, const queue::StoredMessage& stored,
                              std::vector<CanonicalRecord>* spare = nullptr) const;
  // Of a record of a message that has `total`.
  std::string RecordIdAt(Lane lane, Sequence sequence, std::uint32_t record, std::uint32_t total) const;
  // Any thread.
  contract::Decoded MakeOf(const Looked& looked, std::size_t i, std::vector<contract::RenderedRecord>& rendered) const;
  // The next message of `look` into `built`. False: it has no room any more, or has to wait.
  Result<bool> FillOne(Look& look, std::size_t i, Assembly& assembly, Built& built) const;
  bool UsesTimes(std::string_view contract) const;
  // Of ages at the moment `boot`.
  static std::optional<std::chrono::nanoseconds> BornOf(const std::vector<contract::RenderedRecord>& records,
                                                        std::chrono::nanoseconds boot);
  std::vector<std::chrono::microseconds> AgesOf(Lane lane, std::span<const queue::StoredMessage> messages) const;
  static Arrival ArrivalOf(const queue::StoredMessage& stored, std::chrono::microseconds age);
  // As the cloud gets it: with what is known only when it is sent, which `record` has while it is rendered. By the
  // contract of the draft.
  contract::RenderedRecord Render(CanonicalRecord& record, const Arrival& arrival, const Draft& draft,
                                  Times times) const;
  contract::RenderedRecord RenderAndTell(const std::string& contract, CanonicalRecord& record, const Arrival& arrival,
                                         const Draft& draft, Times times) const;
  void TellLeftOut(const std::string& record_id, const contract::RenderedRecord& rendered) const;
  // Any thread, as MakeOf().
  contract::RenderedRecord RenderBy(const std::string& contract, CanonicalRecord& record, const Arrival& arrival,
                                    const Draft& draft, Times times) const;
  // By the contract of its device: in a rollout the newer one, where that can write it and its time is taken.
  contract::RenderedRecord RenderNew(CanonicalRecord& record, const Arrival& arrival, const Draft& draft) const;
  void JudgeTime(const std::string& contract, const CanonicalRecord& record, const Arrival& arrival,
                 const queue::PreparedBatch& batch, Times times, contract::RenderedRecord& rendered) const;

  BuilderOptions options_;
  queue::DeliveryPort& queue_;
  const Streams& streams_;
  const Clock& clock_;
  std::unique_ptr<WorkingAhead> ahead_ = std::make_unique<WorkingAhead>();
  std::unique_ptr<Look> next_;  // has begun before its turn
  queue::Pending room_;         // of the look before, for the one after next_; empty without next_
};

}  // namespace packhorse::delivery
