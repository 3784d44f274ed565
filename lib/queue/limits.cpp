#include "queue/limits.h"

#include <algorithm>

#include "queue/segment/message_codec.h"

namespace packhorse::queue {
namespace {

// One call of EnforceLimits().
constexpr std::size_t kSegmentsPerCall = 64;
constexpr auto kTimePerCall = std::chrono::milliseconds(50);

// What is over a limit comes down a little below it, so that not every message makes work.
std::uint64_t Target(std::uint64_t limit) { return limit - limit / 20; }

}  // namespace

std::uint64_t ExcessBytes(const Limits& limits, std::uint64_t bytes) {
  return limits.max_bytes == 0 || bytes < limits.max_bytes ? 0 : bytes - Target(limits.max_bytes);
}

std::uint64_t ExcessMessages(const Limits& limits, std::uint64_t messages) {
  return limits.max_messages == 0 || messages <= limits.max_messages ? 0 : messages - limits.max_messages;
}

std::string_view Full(const Limits& limits, const Fill& fill, bool full_before) {
  const auto reached = [&](std::uint64_t limit, std::uint64_t there_is) {
    return limit > 0 && there_is >= (full_before ? Target(limit) : limit);
  };
  return reached(limits.max_bytes, fill.bytes)         ? kMaxBytes
         : reached(limits.max_messages, fill.messages) ? kMaxRecords
                                                       : "";
}

bool DropsOldest(const Limits& limits, Lane lane) { return limits.overflow.at(At(lane)) == Overflow::kDropOldest; }

Budget::Budget(const Clock& clock, MonoTime now)
    : clock_(clock), end_(now + kTimePerCall), segments_(kSegmentsPerCall) {}

bool Budget::spent() const { return segments_ == 0 || (begun_ && clock_.Mono() >= end_); }

bool Budget::Take() {
  if (spent()) {
    return false;
  }
  begun_ = true;
  --segments_;
  return true;
}

GiveUpWalk::GiveUpWalk(std::vector<Subscription> wanted, Bounds bounds, Budget& budget)
    : wanted_(std::move(wanted)), bounds_(std::move(bounds)), budget_(budget), next_(bounds_.from) {}

void GiveUpWalk::Take(Sequence sequence, StreamId stream, std::int32_t hour) {
  ++counts_[{stream, hour}];
  ++messages_;
  first_ = first_ == 0 ? sequence : first_;
  through_ = sequence;
}

Result<bool> GiveUpWalk::Add(std::string_view plain, Sequence first) {
  if (!budget_.Take()) {
    cut_short_ = true;
    return false;
  }
  SegmentReader reader(plain, first);
  while (!reader.AtEnd()) {
    const Result<SegmentReader::Head> head = reader.Next();
    RETURN_IF_ERROR(head);
    if (head->sequence > bounds_.through || messages_ >= bounds_.messages) {
      return false;
    }
    const bool seen = head->sequence < next_;
    next_ = std::max(next_, head->sequence + 1);
    if (seen || !QueueState::Holds(wanted_, head->stream, head->sequence)) {
      continue;
    }
    if (bounds_.goes && !bounds_.goes(head->sequence, reader.boot_time())) {
      stays_ = Arrival{head->sequence, reader.boot_time()};
      return false;
    }
    Take(head->sequence, head->stream, HourOf(reader.received_at()));
  }
  return true;
}

std::vector<GiveUpOp::Count> GiveUpWalk::counts() const {
  std::vector<GiveUpOp::Count> counts;
  for (const auto& [key, messages] : counts_) {
    counts.push_back({key.first, key.second, messages});
  }
  return counts;
}

}  // namespace packhorse::queue
