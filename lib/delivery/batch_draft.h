#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "batch/batch.h"
#include "delivery/batch_builder.h"
#include "queue/ledger/ledger.h"

namespace packhorse::delivery {

// 26 base-32 digits are 130 random bits, as many as a ULID or UUID shows.
inline constexpr std::size_t kKeyDigits = 26;

// Adds a record to a list of members, in order.
inline void AppendMember(const queue::Member& one, std::vector<queue::Member>& members) {
  if (!members.empty() && members.back().sequence == one.sequence &&
      members.back().first_record + members.back().records == one.first_record) {
    ++members.back().records;
  } else {
    members.push_back(one);
  }
}

// A batch while it is being filled. Loop thread.
struct BatchBuilder::Draft {
  std::unique_ptr<queue::PreparedBatch> batch;
  std::vector<contract::RenderedRecord> records;
  Sequence taken = 0;               // of its lane, up to here, other batches were made before
  std::chrono::nanoseconds boot{};  // when the ages of its records were so, on Clock::Boot()

  bool empty() const { return batch->members.empty(); }
  // One record of the message. Without its rendered form: of a batch that is not sent.
  void Add(const queue::StoredMessage& stored, std::uint32_t record, std::uint32_t total) {
    std::vector<queue::Member>& members = batch->members;
    if (members.empty() || stored.message.received_at < batch->oldest_at) {
      batch->oldest_at = stored.message.received_at;
    }
    AddRecord(queue::Member{stored.sequence, stored.message.stream, record, 1, total,
                            queue::HourOf(stored.message.received_at)});
  }
  void AddRecord(const queue::Member& one) {
    ++batch->records;
    AppendMember(one, batch->members);
  }
  void Add(contract::RenderedRecord&& record) {
    batch->part = record.part;
    records.push_back(std::move(record));
  }
};

// Messages of a look at the queue, and what is the same for all of them. Two threads read it.
struct BatchBuilder::Looked {
  Start start;
  queue::Pending pending;
  std::vector<std::chrono::microseconds> ages;
  std::chrono::nanoseconds boot{};  // when the ages were so, on Clock::Boot()
  Draft begin;                      // what a batch of them begins with
  Streams streams;
};

// A look whose messages are being made. Loop thread.
struct BatchBuilder::Look {
  std::shared_ptr<Looked> looked;
  std::optional<WorkingAhead::Look> made;
  std::optional<Ahead> ahead;  // of one that has begun before its turn
};

// One prepare request while it is being put together: a batch for each contract and part, and one for what is unfit.
class BatchBuilder::Assembly {
 public:
  Assembly(const BatchBuilder& builder, queue::PrepareRequest& request, const batch::Options& limits,
           const Looked& looked);

  // Whether the message's records still fit beside what is there.
  bool HasRoom(std::span<const contract::RenderedRecord> records) const;
  // Takes all of them; alone they may still be more than one batch. What goes into a further one is rendered anew.
  Status Add(const queue::StoredMessage& stored, const Arrival& arrival, std::span<contract::RenderedRecord> records);
  const Draft& draft() const { return unsent_; }
  bool full() const;
  // Turns what is there into batches of the request. The last call.
  void Close();

 private:
  struct Open {
    std::string contract;
    std::string part;
    Draft draft;
    batch::Filler filler;
  };
  Draft NewDraft(const std::string& contract) const;
  Open MakeOpen(const std::string& contract, const std::string& part, Sequence taken) const;
  Open& OpenFor(const contract::RenderedRecord& record);
  const Open* Find(std::string_view contract, std::string_view part) const;
  void CloseOne(Open& open);

  const BatchBuilder& builder_;
  queue::PrepareRequest& request_;
  const batch::Options& limits_;
  const Looked& looked_;
  std::vector<Open> open_;
  Draft unsent_;
};

}  // namespace packhorse::delivery
