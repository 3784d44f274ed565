#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "queue/journal/bytes.h"

namespace packhorse::queue {

// One message of a segment as a row: the fields of FORMAT.md one after the other, as they stand in memory and in the
// journal. Pure functions; any thread.

inline constexpr unsigned kRowHasProperties = 1U << 6U;
inline constexpr unsigned kRowHasRawStamp = 1U << 7U;

struct Row {
  std::uint64_t sequence = 0;  // minus the segment's first
  std::uint64_t stream = 0;
  unsigned flags = 0;
  std::int64_t received = 0;  // minus the row's before; microseconds
  std::int64_t boot = 0;      // likewise; nanoseconds
  std::string_view topic;
  std::string_view payload;
  std::string_view rest;  // content type, user properties and original stamp, where the flags say so
};

inline void PutRow(std::string& out, const Row& row) {
  PutVarint(out, row.sequence);
  PutVarint(out, row.stream);
  out += static_cast<char>(static_cast<unsigned char>(row.flags));
  PutSigned(out, row.received);
  PutSigned(out, row.boot);
  PutText(out, row.topic);
  PutText(out, row.payload);
  out += row.rest;
}

// Takes what follows a row's payload off the front of `in`.
inline std::string_view TakeRowRest(ByteReader& in, unsigned flags) {
  const std::string_view before = in.rest();
  if ((flags & kRowHasProperties) != 0) {
    static_cast<void>(in.Text());
    const std::uint64_t count = in.Varint();
    for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
      static_cast<void>(in.Text());
      static_cast<void>(in.Text());
    }
  }
  if ((flags & kRowHasRawStamp) != 0) {
    static_cast<void>(in.Signed());
  }
  return before.substr(0, before.size() - in.rest().size());
}

// Takes a row off the front of `in`, whose ok() says whether it was one.
inline Row ReadRow(ByteReader& in) {
  Row row;
  row.sequence = in.Varint();
  row.stream = in.Varint();
  row.flags = in.Byte();
  row.received = in.Signed();
  row.boot = in.Signed();
  row.topic = in.Text();
  row.payload = in.Text();
  row.rest = TakeRowRest(in, row.flags);
  return row;
}

}  // namespace packhorse::queue
