#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "queue/segment/message_codec.h"
#include "queue/state/queue_state.h"
#include "queue/values/values.h"

namespace packhorse::queue {

// Collects messages of one destination until a bound is reached. It writes them over what `room` has: a message is
// several blocks of memory, and what is read by the thousand takes none.
class PendingCollector {
 public:
  PendingCollector(Pending room, std::size_t max_messages, std::uint64_t max_bytes)
      : pending_(std::move(room)), max_messages_(max_messages), max_bytes_(max_bytes) {}

  void Begin(Sequence from) {
    pending_.from = from;
    pending_.through = from - 1;
  }
  // The messages of a segment up to number `limit`. False: it is full.
  Result<bool> Add(std::string_view plain, Sequence first, Sequence limit, const std::vector<Subscription>& wanted,
                   SegmentMark* mark) {
    const auto add = [&](const SegmentReader& reader, const SegmentReader::Head& head) {
      if (QueueState::Holds(wanted, head.stream, head.sequence)) {
        bytes_ += reader.payload().size();
        if (count_ > 0 && (count_ >= max_messages_ || bytes_ > max_bytes_)) {
          return false;
        }
        StoredMessage& stored =
            count_ < pending_.messages.size() ? pending_.messages[count_] : pending_.messages.emplace_back();
        ++count_;
        stored.sequence = head.sequence;
        reader.Write(stored.message);
      }
      pending_.through = head.sequence;
      return true;
    };
    const Result<bool> more = WalkSegment(plain, first, pending_.through, limit, add, mark);
    if (!more || !*more) {
      return more;
    }
    return count_ < max_messages_ && bytes_ < max_bytes_;
  }
  Pending Take() {
    pending_.messages.resize(count_);
    return std::move(pending_);
  }

 private:
  Pending pending_;
  std::size_t count_ = 0;  // of its messages, that are collected
  std::size_t max_messages_;
  std::uint64_t max_bytes_;
  std::uint64_t bytes_ = 0;
};

}  // namespace packhorse::queue
