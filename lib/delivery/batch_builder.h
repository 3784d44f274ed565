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
// No state but its options; loop thread, with one that works ahead.

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
  BatchBuilder(BuilderOptions options, queue::DeliveryPort& queue, const Streams& streams, const Clock& clock)
      : options_(std::move(options)), queue_(queue), streams_(streams), clock_(clock) {}

  struct Built {
    queue::PrepareRequest request;
    OutsideTimes outside;  // of messages of which nothing is sent
    // Why the lane waits at the message behind `request.through`: its time is not taken. Empty: it does not wait.
    std::string held;

    bool moves() const { return held.empty() || !request.batches.empty() || !request.resolutions.empty(); }
  };
  // What to prepare of `pending`: as many whole messages as fit `limits`, and those that end without an upload. A
  // message with more records than a batch may hold becomes several batches; so do records of several parts. Records
  // that are unfit lie in a batch of their own that is not sent (queue::PreparedBatch::unsent): see Judge().
  Result<Built> Build(Lane lane, const queue::Pending& pending, const batch::Options& limits) const;
  // Likewise of a replay.
  Result<Built> Build(queue::ReplayId replay, const queue::ReplayPart& part, const batch::Options& limits) const;

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
  // Whatever the coded bodies turn out to be: Fill() with limits that keep them within what the API takes.
  Result<Built> FillWithin(const Start& start, const queue::Pending& pending, batch::Options limits) const;
  Result<Built> Fill(const Start& start, const queue::Pending& pending, const batch::Options& limits) const;
  contract::Decoded DecodeNew(Lane lane, const queue::StoredMessage& stored,
                              std::vector<CanonicalRecord>* spare = nullptr) const;
  // Of a record of a message that has `total`.
  std::string RecordIdAt(Lane lane, Sequence sequence, std::uint32_t record, std::uint32_t total) const;
  contract::Decoded MakeOf(const queue::StoredMessage& stored, std::chrono::microseconds age, Lane lane,
                           const Draft& draft, std::vector<contract::RenderedRecord>& rendered) const;
  // The next message, made by `look`, into `built`. False: it has no room any more, or has to wait.
  Result<bool> FillOne(const queue::StoredMessage& stored, std::chrono::microseconds age, WorkingAhead::Look& look,
                       Assembly& assembly, Built& built) const;
  bool UsesTimes(std::string_view contract) const;
  std::optional<std::chrono::nanoseconds> BornOf(const std::vector<contract::RenderedRecord>& records) const;
  std::vector<std::chrono::microseconds> AgesOf(Lane lane, std::span<const queue::StoredMessage> messages) const;
  static Arrival ArrivalOf(const queue::StoredMessage& stored, std::chrono::microseconds age);
  // As the cloud gets it: with what is known only when it is sent, which `record` has while it is rendered. By the
  // contract of the draft.
  contract::RenderedRecord Render(CanonicalRecord& record, const Arrival& arrival, const Draft& draft,
                                  Times times) const;
  contract::RenderedRecord RenderAndTell(const std::string& contract, CanonicalRecord& record, const Arrival& arrival,
                                         const Draft& draft, Times times) const;
  void TellLeftOut(const std::string& record_id, const contract::RenderedRecord& rendered) const;
  // Any thread, as MakeOf(), while the loop builds.
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
};

}  // namespace packhorse::delivery
