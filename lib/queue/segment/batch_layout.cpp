#include "queue/segment/batch_layout.h"

#include <cstdint>
#include <vector>

#include "queue/journal/bytes.h"

namespace packhorse::queue {

std::string EncodeLayout(const PreparedBatch& batch) {
  std::string out;
  if (batch.part.empty() && batch.items.empty() && batch.items_end == 0) {
    return out;
  }
  PutText(out, batch.part);
  PutVarint(out, batch.items_begin);
  PutVarint(out, batch.items_end);
  for (const std::uint32_t items : batch.items) {
    PutVarint(out, items);
  }
  return out;
}

Status DecodeLayout(std::string_view bytes, PreparedBatch& batch) {
  if (bytes.empty()) {
    return {};
  }
  ByteReader in(bytes);
  batch.part = std::string(in.Text());
  batch.items_begin = in.Varint();
  batch.items_end = in.Varint();
  while (in.ok() && !in.rest().empty() && batch.items.size() < batch.records) {
    batch.items.push_back(static_cast<std::uint32_t>(in.Varint()));
  }
  const bool counts = batch.items.empty() || batch.items.size() == batch.records;
  if (!in.ok() || !in.rest().empty() || !counts || batch.items_end < batch.items_begin) {
    return Error{ErrorCode::kCorrupt, "the layout of a batch does not hold"};
  }
  return {};
}

}  // namespace packhorse::queue
