#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "batch/batch.h"
#include "contract/cloud_contract.h"
#include "delivery/delivery.h"
#include "delivery/rollout.h"
#include "queue/ports/delivery.h"

namespace packhorse::delivery {

// Makes prepared batches: decodes stored messages, renders their records and puts as many together as the limits allow.
// No state but its options; loop thread.

struct BuilderOptions {
  std::string destination;
  std::string gateway_id;
  std::map<std::string, std::string> gateway_attributes;
  std::shared_ptr<const contract::CloudContract> contract;
  contract::SettingValues settings;            // of the contract
  std::string coding;                          // content coding of bodies; empty: none
  std::chrono::milliseconds backfill_after{};  // records that waited for so long are flagged
  // Told of each record of which items were left out, whenever it is rendered.
  std::function<void(const std::string& record_id, const contract::RenderedRecord& record)> left_out;
  Rollout* rollout = nullptr;  // of a newer contract; null: none
};

class BatchBuilder {
 public:
  BatchBuilder(BuilderOptions options, queue::DeliveryPort& queue, const Streams& streams, const Clock& clock)
      : options_(std::move(options)), queue_(queue), streams_(streams), clock_(clock) {}

  // What to prepare of `pending`: as many whole messages as fit `limits`, and those that end without an upload. A
  // message with more records than a batch may hold becomes several batches; so do records of several parts. Records
  // that are unfit lie in a batch of their own that is not sent (queue::PreparedBatch::unsent): see Unfit().
  Result<queue::PrepareRequest> Build(Lane lane, const queue::Pending& pending, const batch::Options& limits) const;
  // Likewise of a replay.
  Result<queue::PrepareRequest> Build(queue::ReplayId replay, const queue::ReplayPart& part,
                                      const batch::Options& limits) const;

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

  // What each record of a batch that is not sent is, in order: decoded and rendered anew.
  Result<std::vector<contract::RenderedRecord>> Unfit(const queue::PreparedBatch& batch) const;

  // A batch of one record that was set aside, rendered anew; unsent() while it is unfit.
  Result<std::unique_ptr<queue::PreparedBatch>> Retry(const queue::Suspect& suspect) const;

  // Batches of these members of a batch that the newer contract of a rollout has made, by the present one: one for each
  // part, and one that is not sent for what is unfit.
  Result<std::vector<std::unique_ptr<queue::PreparedBatch>>> ByPresent(const queue::PreparedBatch& from,
                                                                       const std::vector<queue::Member>& members) const;

  // Record ids of a batch, in the order sent.
  std::vector<std::string> RecordIds(const queue::PreparedBatch& batch) const;

  std::string MemberRecordId(Lane lane, const queue::Member& member, std::uint32_t record) const;

  // What the batch is called on the wire.
  contract::BatchHeader HeaderOf(const queue::PreparedBatch& batch) const;

 private:
  struct Draft;
  class Assembly;
  Result<std::unique_ptr<queue::PreparedBatch>> Decoded(const queue::PreparedBatch& from,
                                                        const std::vector<queue::Member>& members) const;
  Result<std::unique_ptr<queue::PreparedBatch>> Cut(const queue::PreparedBatch& from,
                                                    const std::vector<queue::Member>& members) const;
  // The member's records of this message, decoded and rendered anew.
  Result<std::vector<contract::RenderedRecord>> Again(const queue::StoredMessage& stored, const queue::Member& member,
                                                      const Draft& draft) const;
  Result<std::vector<std::string>> ItemsOf(const queue::PreparedBatch& batch) const;
  Result<std::unique_ptr<queue::PreparedBatch>> Finish(Draft draft) const;
  // The contract that is in use: the configured one, and once a rollout is finished the newer one.
  const std::string& PresentContract() const;
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
  Result<queue::PrepareRequest> FillWithin(const Start& start, const queue::Pending& pending,
                                           batch::Options limits) const;
  Result<queue::PrepareRequest> Fill(const Start& start, const queue::Pending& pending,
                                     const batch::Options& limits) const;
  // As the cloud gets it: with what is known only when it is sent. By the contract of the draft.
  contract::RenderedRecord Render(CanonicalRecord record, WallTime received_at, const Draft& draft) const;
  contract::RenderedRecord RenderBy(const std::string& contract, CanonicalRecord record, WallTime received_at,
                                    const Draft& draft) const;
  // By the contract of its device: in a rollout the newer one, where that can write it.
  contract::RenderedRecord RenderNew(const CanonicalRecord& record, WallTime received_at, const Draft& draft) const;

  BuilderOptions options_;
  queue::DeliveryPort& queue_;
  const Streams& streams_;
  const Clock& clock_;
};

}  // namespace packhorse::delivery
