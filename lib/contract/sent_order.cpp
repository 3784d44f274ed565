#include "contract/sent_order.h"

#include <algorithm>
#include <numeric>

namespace packhorse::contract {

std::vector<std::uint32_t> SentOrder(const Accepts& accepts, std::span<const RenderedRecord> records) {
  const auto earlier = [](const RenderedRecord& a, const RenderedRecord& b) { return *a.time < *b.time; };
  if (accepts.order != Order::kTime ||
      !std::all_of(records.begin(), records.end(), [](const auto& each) { return each.time.has_value(); }) ||
      std::is_sorted(records.begin(), records.end(), earlier)) {
    return {};
  }
  std::vector<std::uint32_t> order(records.size());
  std::iota(order.begin(), order.end(), 0U);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return earlier(records[a], records[b]); });
  return order;
}

}  // namespace packhorse::contract
