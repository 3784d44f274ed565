// Messages in quarantine are decoded again.

#include <algorithm>
#include <memory>
#include <utility>

#include "delivery/destination.h"

namespace packhorse::delivery {

void DestinationImpl::RetryQuarantined(const std::vector<queue::QuarantinedMessage>& messages,
                                       std::function<void(Result<Retried>)> done) {
  Retried retried;
  if (messages.empty()) {
    done(retried);
    return;
  }
  queue::Pending pending;
  pending.from = messages.front().sequence;
  pending.through = messages.back().sequence;
  for (const queue::QuarantinedMessage& each : messages) {
    pending.messages.push_back({each.sequence, each.message});
  }
  Result<BatchBuilder::Built> built = builder_.BuildThese(messages.front().lane, std::move(pending), BatchLimits());
  if (!built) {
    done(built.error());
    return;
  }
  queue::PrepareRequest& request = built->request;
  retried.still_because = built->held;
  retried.looked_at = static_cast<std::uint64_t>(
      std::count_if(messages.begin(), messages.end(),
                    [&](const queue::QuarantinedMessage& each) { return each.sequence <= request.through; }));
  std::erase_if(request.resolutions, [&](const queue::Resolution& resolution) {
    const bool stays = resolution.outcome == Outcome::kQuarantined;
    if (stays && retried.still_because.empty()) {
      retried.still_because = resolution.reason + (resolution.detail.empty() ? "" : ": " + resolution.detail);
    }
    return stays;
  });
  retried.ended = request.resolutions.size();
  std::vector<ActivePtr> prepared;
  Sequence counted = 0;
  for (const auto& batch : request.batches) {
    prepared.push_back(std::make_shared<Active>());
    prepared.back()->batch = *batch;
    for (const queue::Member& member : batch->members) {
      retried.sent += std::exchange(counted, member.sequence) == member.sequence ? 0U : 1U;
    }
  }
  if (prepared.empty() && retried.ended == 0) {
    done(retried);
    return;
  }
  deps_.queue.RetryQuarantined(std::move(request),
                               [this, prepared, retried, done = std::move(done),
                                alive = std::weak_ptr<bool>(alive_)](const Result<std::vector<queue::BatchId>>& ids) {
                                 if (!ids) {
                                   done(ids.error());
                                   return;
                                 }
                                 for (std::size_t i = 0; i < prepared.size() && !alive.expired(); ++i) {
                                   prepared[i]->batch.id = (*ids)[i];
                                   LineOf(*prepared[i]).line.push_back(prepared[i]);
                                 }
                                 done(retried);
                               });
}

}  // namespace packhorse::delivery
