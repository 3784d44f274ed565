// What a destination has taken, for whoever compares it with what the destination says.

#include "queue/queue_impl.h"

namespace packhorse::queue {

Result<DeliveredHours> QueueImpl::DeliveredByHour(const std::string& destination, std::int32_t first, std::int32_t end,
                                                  std::size_t limit) {
  std::optional<DestinationId> id;
  {
    const std::lock_guard lock(mutex_);
    id = state_->FindDestination(destination);
  }
  if (!id) {
    return Error{ErrorCode::kNotFound, "no destination \"" + destination + "\""};
  }
  return Noted(reader_.DeliveredByHour(*id, first, end, limit));
}

std::set<StreamHour> QueueImpl::HoursInBatches(const std::string& destination) {
  const std::lock_guard lock(mutex_);
  const std::optional<DestinationId> id = state_->FindDestination(destination);
  std::set<StreamHour> hours;
  for (const auto& [batch, unsettled] : state_->unsettled()) {
    for (std::size_t i = 0; id == unsettled.destination && i < unsettled.batch->members.size(); ++i) {
      const Member& member = unsettled.batch->members[i];
      hours.insert({state_->StreamName(member.stream), member.received_hour});
    }
  }
  return hours;
}

}  // namespace packhorse::queue
