#include "delivery/traffic.h"

#include <chrono>
#include <cstddef>

namespace packhorse::delivery {
namespace {

// Distinct kinds of reply that are counted; statuses are three digits, transport errors a handful.
constexpr std::size_t kMaxReplyKinds = 64;

std::string KindOf(const upload::Response& response) {
  return response.transport == upload::Transport::kOk ? std::to_string(response.status)
                                                      : std::string(upload::Name(response.transport));
}

}  // namespace

void Traffic::NoteReply(const upload::Response& response, MonoTime now) {
  bytes_sent += response.bytes_sent;
  latency_.Record(response.elapsed, now);
  if (const std::string kind = KindOf(response); replies_.size() < kMaxReplyKinds || replies_.contains(kind)) {
    ++replies_[kind];
  }
}

void Traffic::Show(DestinationStatus& status, MonoTime now) const {
  status.requests = requests;
  status.retries = retries;
  status.possible_duplicates = possible_duplicates;
  status.records_delivered = records_delivered;
  status.bytes_sent = bytes_sent;
  status.replies = replies_;
  status.p50 = latency_.Quantile(0.50, now);
  status.p95 = latency_.Quantile(0.95, now);
  status.p99 = latency_.Quantile(0.99, now);
  status.recent_p50 = latency_.Quantile(0.50, now, std::chrono::minutes(1));
}

}  // namespace packhorse::delivery
