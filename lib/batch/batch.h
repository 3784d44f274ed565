#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/clock.h"

namespace packhorse::batch {

// When is a batch due, and how large may it be? No I/O; time is an argument. Not thread-safe (loop).

struct Options {
  std::uint32_t max_records = 500;
  std::uint64_t max_bytes = 1ULL << 20U;  // uncompressed body
  std::chrono::milliseconds max_age{500};
};

// What waits in a lane.
struct Waiting {
  std::uint64_t messages = 0;
  std::uint64_t payload_bytes = 0;  // an estimate may do
  MonoTime oldest{};                // when the oldest waiting message was first seen by the loop
};

struct Decision {
  bool due = false;
  std::optional<MonoTime> next;  // `now` when due, else when to ask again if nothing arrives; none when nothing waits
};

// How many messages of this mean size make a batch full.
std::uint64_t FullAt(const Options& options, double mean_bytes);

// A batch is due when it is full by count or bytes, or when its oldest message is max_age old, or when `flush` is set.
Decision Decide(const Options& options, const Waiting& waiting, bool flush, MonoTime now);

// Adds rendered records until a limit is reached. Counts one byte per record for what stands between records, so that
// bytes() is never less than the body that is sent.
class Filler {
 public:
  // `envelope_bytes`: everything around the records, an upper bound.
  Filler(const Options& options, std::uint64_t envelope_bytes);
  // Whether `bytes` more, as `records` records, still fit. The first always fits: a record alone over the limit is sent
  // alone.
  bool Fits(std::uint64_t bytes, std::uint32_t records) const;
  void Add(std::uint64_t bytes, std::uint32_t records);
  std::uint32_t records() const { return records_; }
  std::uint64_t bytes() const { return bytes_; }
  // No further record can fit.
  bool full() const;

 private:
  Options options_;
  std::uint64_t bytes_;
  std::uint32_t records_ = 0;
};

}  // namespace packhorse::batch
