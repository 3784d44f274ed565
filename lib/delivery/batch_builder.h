#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "batch/batch.h"
#include "contract/cloud_contract.h"
#include "delivery/delivery.h"
#include "queue/ports/delivery.h"

namespace packhorse::delivery {

// Makes prepared batches: decodes stored messages, renders their records and puts as many together as the limits allow.
// No state but its options; loop thread.

// Which records of a message go into a batch.
struct RecordRange {
  std::uint32_t first = 0;
  std::uint32_t count = 0;
};

struct BuilderOptions {
  std::string destination;
  std::string gateway_id;
  std::map<std::string, std::string> gateway_attributes;
  std::shared_ptr<const contract::CloudContract> contract;
  bool gzip = true;
  std::chrono::milliseconds backfill_after{};  // records that waited for so long are flagged
};

class BatchBuilder {
 public:
  BatchBuilder(BuilderOptions options, queue::DeliveryPort& queue, const Streams& streams, const Clock& clock)
      : options_(std::move(options)), queue_(queue), streams_(streams), clock_(clock) {}

  // What to prepare of `pending`: as many whole messages as fit `limits`, and those that end without an upload. A
  // message with more records than a batch may hold becomes several batches.
  Result<queue::PrepareRequest> Build(Lane lane, const queue::Pending& pending, const batch::Options& limits) const;
  // Likewise of a replay.
  Result<queue::PrepareRequest> Build(queue::ReplayId replay, const queue::ReplayPart& part,
                                      const batch::Options& limits) const;

  // A batch of exactly these members of another one, its remainder or its half: decoded and rendered anew, or cut out
  // of the bytes of that one.
  Result<std::unique_ptr<queue::PreparedBatch>> Rebuild(const queue::PreparedBatch& from,
                                                        const std::vector<queue::Member>& members) const;

  // A batch of dead letters of one lane, flagged as replayed.
  Result<std::unique_ptr<queue::PreparedBatch>> Replay(Lane lane, const std::vector<queue::DeadLetter>& letters) const;

  // A batch of one record that was set aside, rendered anew.
  Result<std::unique_ptr<queue::PreparedBatch>> Retry(const queue::Suspect& suspect) const;

  // Record ids of a batch, in the order sent.
  std::vector<std::string> RecordIds(const queue::PreparedBatch& batch) const;

  std::string MemberRecordId(Lane lane, const queue::Member& member, std::uint32_t record) const;

 private:
  struct Draft;
  class Assembly;
  Result<std::unique_ptr<queue::PreparedBatch>> Decoded(const queue::PreparedBatch& from,
                                                        const std::vector<queue::Member>& members) const;
  Result<std::unique_ptr<queue::PreparedBatch>> Cut(const queue::PreparedBatch& from,
                                                    const std::vector<queue::Member>& members) const;
  Status AddMember(Lane lane, const queue::StoredMessage& stored, const queue::Member& member, Draft& draft) const;
  Result<std::unique_ptr<queue::PreparedBatch>> Finish(Draft draft) const;
  contract::BatchHeader Header(Lane lane, const std::string& key) const;
  Draft NewDraft(Lane lane, WallTime created_at, queue::ReplayId replay) const;
  // Fills a request that says where it begins.
  Result<queue::PrepareRequest> Fill(queue::PrepareRequest request, const queue::Pending& pending,
                                     const batch::Options& limits) const;
  // As the cloud gets it: with what is known only when it is sent.
  std::string Render(CanonicalRecord record, WallTime received_at, const Draft& draft) const;

  BuilderOptions options_;
  queue::DeliveryPort& queue_;
  const Streams& streams_;
  const Clock& clock_;
};

}  // namespace packhorse::delivery
