#include "batch/batch.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/units.h"

namespace packhorse::batch {
namespace {

// JSON lists separate their elements by one comma; counted for every record, so that the body is never larger than
// promised.
constexpr std::uint64_t kSeparatorBytes = 1;

}  // namespace

std::uint64_t FullAt(const Options& options, double mean_bytes) {
  const double by_bytes = std::ceil(static_cast<double>(options.max_bytes) / std::max(mean_bytes, 1.0));
  return std::max<std::uint64_t>(
      1, std::min<std::uint64_t>(options.max_records, static_cast<std::uint64_t>(std::min(by_bytes, 1e9))));
}

Decision Decide(const Options& options, const Waiting& waiting, bool flush, MonoTime now) {
  if (waiting.messages == 0) {
    return {};
  }
  const bool full = waiting.messages >= options.max_records || waiting.payload_bytes >= options.max_bytes;
  const MonoTime ripe = waiting.oldest + options.max_age;
  if (flush || full || ripe <= now) {
    return {true, now};
  }
  return {false, ripe};
}

Filler::Filler(const Options& options, std::uint64_t envelope_bytes) : options_(options), bytes_(envelope_bytes) {}

bool Filler::Fits(std::uint64_t bytes, std::uint32_t records) const {
  if (records_ == 0) {
    return true;
  }
  const std::uint64_t total = AddSaturating(bytes_, AddSaturating(bytes, kSeparatorBytes * records));
  return std::uint64_t{records_} + records <= options_.max_records && total <= options_.max_bytes;
}

void Filler::Add(std::uint64_t bytes, std::uint32_t records) {
  bytes_ = AddSaturating(bytes_, AddSaturating(bytes, kSeparatorBytes * records));
  const std::uint32_t room = std::numeric_limits<std::uint32_t>::max() - records_;
  records_ += records < room ? records : room;
}

bool Filler::full() const { return records_ > 0 && (records_ >= options_.max_records || bytes_ >= options_.max_bytes); }

}  // namespace packhorse::batch
