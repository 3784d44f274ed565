// What a destination takes from the one that it replaces, and what it says of replies that are odd.

#include <algorithm>
#include <map>
#include <utility>

#include "base/text.h"
#include "base/url.h"
#include "delivery/destination.h"

namespace packhorse::delivery {

std::string DestinationImpl::Host() const { return Lower(HostHeader(SplitUrl(options_.endpoint.base_url))); }

void DestinationImpl::TakeOver(const Destination& predecessor) {
  const auto* old = dynamic_cast<const DestinationImpl*>(&predecessor);
  if (old == nullptr) {
    return;
  }
  breaker_.TakeOver(old->breaker_);
  concurrency_.TakeOver(old->concurrency_);
  pacing_.TakeOver(old->pacing_, Host() == old->Host());
  sizes_ = old->sizes_;
  if (rollout_ && old->rollout_) {
    rollout_->Restore(old->rollout_->ToKeep());
  }
  bytes_wanted_ = old->bytes_wanted_;
  first_contact_.TakeOver(old->first_contact_);
  evidence_ = old->evidence_;
  samples_ = old->samples_;
  was_away_ = old->was_away_;
  last_error_ = old->last_error_;
  exchanges_ = old->exchanges_;
  deprecation_ = old->deprecation_;
  certificate_ends_ = old->certificate_ends_;
  TakeOverBatches(*old);
}

// What the queue does not say of its batches. One that the predecessor does not know was made while it went: nobody
// sent it, though it may be part of what was.
void DestinationImpl::TakeOverBatches(const DestinationImpl& old) {
  std::map<queue::BatchId, ActivePtr> known;
  const auto note = [&](const ActivePtr& active) { known.emplace(active->batch.id, active); };
  const auto take = [&](const ActivePtr& active) {
    const auto before = known.find(active->batch.id);
    if (before == known.end()) {
      active->from_before = false;
      return;
    }
    const bool on_its_way = before->second->state != Active::State::kReady;
    active->mended = before->second->mended;
    active->from_before = before->second->from_before || on_its_way;
    active->may_have_arrived = before->second->may_have_arrived || on_its_way;
  };
  for (const LineState& state : old.lines_) {
    std::for_each(state.line.begin(), state.line.end(), note);
  }
  std::for_each(old.trying_.begin(), old.trying_.end(), note);
  for (const LineState& state : lines_) {
    std::for_each(state.line.begin(), state.line.end(), take);
  }
  std::for_each(trying_.begin(), trying_.end(), take);
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

// A reply that somebody in between gave says nothing of the API: only what accepts something ends a notice.
void DestinationImpl::NoteDeprecation(const outcome::Verdict& verdict) {
  using outcome::Action;
  if (!verdict.deprecations.empty()) {
    if (std::optional<std::string> words = deprecation_.Note(verdict.deprecations, deps_.clock.Wall())) {
      Tell("api_deprecated", *std::move(words));
    }
  } else if ((verdict.action == Action::kDelivered || verdict.action == Action::kPartial) && deprecation_.Gone()) {
    Over("api_deprecated");
  }
}

}  // namespace packhorse::delivery
