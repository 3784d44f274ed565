// Any bytes as a stored segment or member list: an error or messages, never a crash.
#include <cstdint>
#include <string_view>

#include "queue/segment/column_codec.h"
#include "queue/segment/message_codec.h"

namespace queue = packhorse::queue;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto plain = queue::OpenSegment(bytes);
  (void)plain.has_value();
  // Rows that any columns give are rows like all others: they become columns and come back.
  const auto rows = queue::FromColumns(bytes, 1U << 20U);
  if (rows && !queue::Reproduces(queue::ToColumns(*rows), *rows)) {
    __builtin_trap();
  }
  queue::SegmentReader reader(bytes, 1);
  while (!reader.AtEnd() && reader.Next()) {
    (void)reader.Take();
  }
  const auto members = queue::DecodeMembers(bytes);
  (void)members.has_value();
  return 0;
}
