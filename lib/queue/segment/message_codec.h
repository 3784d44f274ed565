#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "queue/values/values.h"

namespace packhorse::queue {

// The bytes of FORMAT.md. Pure functions; any thread.

class SegmentReader;

// Builds one segment's plain bytes, message by message.
class SegmentEncoder {
 public:
  explicit SegmentEncoder(Sequence first_sequence) : first_(first_sequence) {}
  void Add(Sequence sequence, const RawMessage& message);
  // The message on which `reader` stands, without a copy of its texts.
  void AddCurrent(Sequence sequence, const SegmentReader& reader);
  // Room for that many bytes at once, and: no more messages come, the room that is left over goes back.
  void Reserve(std::size_t bytes) { plain_.reserve(bytes); }
  void Close() { plain_.shrink_to_fit(); }
  std::uint64_t payload_bytes() const { return payload_bytes_; }
  std::uint32_t messages() const { return messages_; }
  Sequence first() const { return first_; }
  Sequence last() const { return last_; }
  const std::string& plain() const { return plain_; }
  // The blob: as columns and compressed when that makes it smaller.
  std::string Finish() const;

 private:
  void Count(Sequence sequence, const RawMessage& head, std::size_t payload_bytes);

  Sequence first_;
  Sequence last_ = 0;
  std::int64_t received_before_ = 0;
  std::int64_t boot_before_ = 0;
  std::uint64_t payload_bytes_ = 0;
  std::uint32_t messages_ = 0;
  std::string plain_;
};

// Blob to plain bytes; kCorrupt when the checksum or the compression does not hold. At most 256 MiB plain.
Result<std::string> OpenSegment(std::string_view blob);

// Walks over a segment's plain bytes without copying payloads.
class SegmentReader {
 public:
  // In front of a message: what those before it leave to add to.
  struct Position {
    std::size_t offset = 0;
    std::int64_t received = 0;
    std::int64_t boot = 0;
  };

  SegmentReader(std::string_view plain, Sequence first_sequence) : SegmentReader(plain, first_sequence, Position()) {}
  // REQUIRES: position() of a reader of the same bytes said `start`.
  SegmentReader(std::string_view plain, Sequence first_sequence, const Position& start)
      : rest_(plain.substr(start.offset)),
        first_(first_sequence),
        received_(start.received),
        boot_(start.boot),
        size_(plain.size()) {}
  bool AtEnd() const { return rest_.empty(); }
  Position position() const { return {size_ - rest_.size(), received_, boot_}; }
  // Sequence and stream of the next message; the message itself is only built by Take().
  struct Head {
    Sequence sequence = 0;
    StreamId stream = 0;
  };
  Result<Head> Next();
  // The message that Next() stood on. REQUIRES: a successful Next() before.
  RawMessage Take() const;
  // Likewise, over another message.
  void Write(RawMessage& message) const;
  WallTime received_at() const { return head_.received_at; }
  std::string_view payload() const { return payload_; }
  ClockState clock() const { return head_.clock; }
  std::chrono::nanoseconds boot_time() const { return head_.boot_time; }

 private:
  friend class SegmentEncoder;
  void ReadRest(std::string_view rest, unsigned flags);

  std::string_view rest_;
  Sequence first_;
  std::int64_t received_;
  std::int64_t boot_;
  std::size_t size_;
  RawMessage head_;  // everything but the texts
  std::string_view topic_;
  std::string_view payload_;
  std::string_view content_type_;
  std::vector<std::pair<std::string_view, std::string_view>> properties_;
};

// How far a segment was walked over: its messages up to number `through` lie in front of `behind`.
struct SegmentMark {
  Sequence through = 0;
  SegmentReader::Position behind;
};

// Calls `visit(reader, head)` for each message of (after, limit] of a segment until it returns false. True when there
// may be more in the next segment. Begins at the mark where that is not too far, and leaves it behind what it has
// visited: a segment is many batches.
template <typename Visit>
Result<bool> WalkSegment(std::string_view plain, Sequence first, Sequence after, Sequence limit, const Visit& visit,
                         SegmentMark* mark = nullptr) {
  SegmentMark passed = mark != nullptr && mark->through <= after ? *mark : SegmentMark{};
  SegmentReader reader(plain, first, passed.behind);
  bool all = true;
  while (all && !reader.AtEnd()) {
    passed.behind = reader.position();
    const Result<SegmentReader::Head> head = reader.Next();
    RETURN_IF_ERROR(head);
    all = head->sequence <= limit && (head->sequence <= after || visit(reader, *head));
    passed.through = all ? head->sequence : passed.through;
  }
  passed.behind = all ? reader.position() : passed.behind;
  if (mark != nullptr) {
    *mark = passed;
  }
  return all;
}

// The plain bytes of one message, as those of a segment that begins with it.
void AppendMessage(std::string& out, const RawMessage& message);

// A segment of one message.
std::string EncodeMessage(Sequence sequence, const RawMessage& message);
Result<StoredMessage> DecodeMessage(std::string_view blob, Sequence first_sequence);

std::string EncodeMembers(std::span<const Member> members);
Result<std::vector<Member>> DecodeMembers(std::string_view bytes);

}  // namespace packhorse::queue
