#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>

#include "base/clock.h"

namespace packhorse::batch {

// How large a batch may be in one dimension (records, or bytes) as the other side or the link has shown: halved when a
// batch does not fit or does not get through in time, grown again by a tenth of the configured size with each full one
// that passes (AIMD: additive increase, multiplicative decrease). What did not fit is remembered: it grows up to just
// below that, and beyond only now and then, more seldom each time it fails there. No I/O; time is an argument and
// monotonic; not thread-safe (loop).
class LearntSize {
 public:
  // Never below `least`.
  explicit LearntSize(std::uint64_t least) : least_(least) {}

  // A batch of this size was too much.
  void TooMuch(std::uint64_t size, MonoTime now);
  // One of this size passed; `most` is what is configured.
  void Passed(std::uint64_t size, std::uint64_t most, MonoTime now);

  // What a restart needs to know; 0: nothing is known of it.
  struct Kept {
    std::uint64_t limit = 0;
    std::uint64_t too_much = 0;

    bool operator==(const Kept&) const = default;
  };
  Kept ToKeep() const;
  void Restore(const Kept& kept);

  std::uint64_t Limit(std::uint64_t most) const { return limit_ ? std::min(*limit_, most) : most; }
  bool learnt() const { return limit_.has_value(); }

 private:
  std::uint64_t least_;
  std::optional<std::uint64_t> limit_;
  std::uint64_t too_much_ = std::numeric_limits<std::uint64_t>::max();  // the smallest that was
  std::optional<std::uint64_t> before_probe_;                           // while it tries more than that
  std::chrono::minutes probe_wait_{1};
  MonoTime probe_at_{};
};

// Both dimensions of a destination's batches.
struct LearntSizes {
  LearntSize records{1};
  LearntSize bytes{1024};  // uncompressed

  bool learnt() const { return records.learnt() || bytes.learnt(); }
};

}  // namespace packhorse::batch
