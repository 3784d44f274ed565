#include "ingest/paho/stability.h"

#include <utility>

namespace packhorse::ingest {
namespace {

// So many losses within this time are no accident.
constexpr std::size_t kLosses = 3;
constexpr std::chrono::minutes kWithin{10};
// A connection that ends so soon looks like a second client with our id: the broker ends one for the other.
constexpr std::chrono::seconds kSoon{10};

}  // namespace

Stability::Stability(std::string client_id, std::chrono::milliseconds settled_after)
    : id_("the client id \"" + std::move(client_id) + "\""), settled_after_(settled_after) {}

void Stability::OnLoss(const std::string& reason, bool taken_over, Time connected, Time now) {
  last_loss_ = reason;
  losses_.push_back(now);
  while (losses_.size() > kLosses || now - losses_.front() > kWithin) {
    losses_.pop_front();
  }
  if (taken_over) {
    cause_ = "another client uses " + id_ + "; each bridge needs its own";
  } else if (losses_.size() == kLosses) {
    cause_ = now - connected < kSoon
                 ? "the connection is lost soon after each start: does another client use " + id_ + "?"
                 : "the connection does not last: does another client use " + id_ + "?";
  }
}

void Stability::OnAlive(Time connected, Time now) {
  if (now >= SettlesAt(connected)) {
    cause_.clear();
    losses_.clear();
  }
}

}  // namespace packhorse::ingest
