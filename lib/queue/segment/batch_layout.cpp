#include "queue/segment/batch_layout.h"

#include <cstdint>
#include <vector>

#include "queue/journal/bytes.h"

namespace packhorse::queue {
namespace {

// Each record once.
bool IsOrder(const PreparedBatch& batch) {
  std::vector<bool> seen(batch.records);
  for (const std::uint32_t record : batch.order) {
    if (record >= seen.size() || seen[record]) {
      return false;
    }
    seen[record] = true;
  }
  return batch.order.empty() || batch.order.size() == batch.records;
}

}  // namespace

std::string EncodeLayout(const PreparedBatch& batch) {
  std::string out;
  if (batch.part.empty() && batch.items.empty() && batch.items_end == 0 && batch.order.empty()) {
    return out;
  }
  PutText(out, batch.part);
  PutVarint(out, batch.items_begin);
  PutVarint(out, batch.items_end);
  const std::vector<std::uint32_t> one_each(batch.items.empty() && !batch.order.empty() ? batch.records : 0, 1);
  for (const auto* list : {&batch.items, &one_each, &batch.order}) {
    for (const std::uint32_t each : *list) {
      PutVarint(out, each);
    }
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
  while (in.ok() && !in.rest().empty() && batch.order.size() < batch.records) {
    batch.order.push_back(static_cast<std::uint32_t>(in.Varint()));
  }
  const bool counts = batch.items.empty() || batch.items.size() == batch.records;
  if (!in.ok() || !in.rest().empty() || !counts || !IsOrder(batch) || batch.items_end < batch.items_begin) {
    return Error{ErrorCode::kCorrupt, "the layout of a batch does not hold"};
  }
  return {};
}

}  // namespace packhorse::queue
