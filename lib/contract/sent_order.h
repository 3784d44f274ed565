#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "contract/cloud_contract.h"

namespace packhorse::contract {

// In which order the records of a request stand in it (contracts.md, `accepts.order`). Pure functions.

// Which record stands at each place; empty: they stand as they come. Looks at RenderedRecord::time, which all of them
// must have to be sorted.
std::vector<std::uint32_t> SentOrder(const Accepts& accepts, std::span<const RenderedRecord> records);

// What is known of each record, in the order in which they stand in the request.
template <typename T>
std::vector<T> AsSent(std::span<const std::uint32_t> order, std::vector<T> as_they_come) {
  if (order.size() != as_they_come.size()) {
    return as_they_come;
  }
  std::vector<T> sent;
  sent.reserve(as_they_come.size());
  for (const std::uint32_t record : order) {
    sent.push_back(std::move(as_they_come[record]));
  }
  return sent;
}

// The other way round.
template <typename T>
std::vector<T> AsTheyCome(std::span<const std::uint32_t> order, std::vector<T> sent) {
  if (order.size() != sent.size()) {
    return sent;
  }
  std::vector<T> records(sent.size());
  for (std::size_t place = 0; place < sent.size(); ++place) {
    records[order[place]] = std::move(sent[place]);
  }
  return records;
}

}  // namespace packhorse::contract
