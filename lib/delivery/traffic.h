#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/clock.h"
#include "delivery/delivery.h"
#include "health/metrics.h"
#include "upload/uploader.h"

namespace packhorse::delivery {

// What a destination sent and got since its start, for `status`. Not thread-safe (loop). Memory: bounded, see
// health::Histogram; 64 kinds of replies.
struct Traffic {
  std::uint64_t requests = 0;
  std::uint64_t retries = 0;
  std::uint64_t possible_duplicates = 0;
  std::uint64_t records_delivered = 0;
  std::uint64_t bytes_sent = 0;

  // The reply to a batch, or what there is instead of one.
  void NoteReply(const upload::Response& response, MonoTime now);
  void Show(DestinationStatus& status, MonoTime now) const;

 private:
  std::map<std::string, std::uint64_t> replies_;
  health::Histogram latency_;
};

}  // namespace packhorse::delivery
