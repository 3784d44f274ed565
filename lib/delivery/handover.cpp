// What a destination takes from the one that it replaces, and what it says of replies that are odd.

#include "delivery/destination.h"

namespace packhorse::delivery {

void DestinationImpl::TakeOver(const Destination& predecessor) {
  const auto* old = dynamic_cast<const DestinationImpl*>(&predecessor);
  if (old == nullptr) {
    return;
  }
  breaker_.TakeOver(old->breaker_);
  limits_.TakeOver(old->limits_);
  sizes_ = old->sizes_;
  evidence_ = old->evidence_;
  samples_ = old->samples_;
  was_away_ = old->was_away_;
  last_error_ = old->last_error_;
}

// Taken all the same; whoever runs the API should know.
void DestinationImpl::NoteOddReply(const upload::Response& response) {
  if (!response.undecodable.empty()) {
    deps_.events.Raise("odd_reply", options_.name,
                       "a reply says Content-Encoding: " + response.undecodable +
                           ", which its body is not, or which was not asked for; it was taken as it came",
                       deps_.clock.Wall());
  }
  if (response.headers_left_out > 0) {
    deps_.events.Raise("odd_reply", options_.name,
                       "a reply has more than 500 headers or 128 KiB of them; " +
                           std::to_string(response.headers_left_out) + " were read over",
                       deps_.clock.Wall());
  }
}

}  // namespace packhorse::delivery
