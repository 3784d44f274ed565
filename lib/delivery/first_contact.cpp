#include "delivery/first_contact.h"

#include <chrono>
#include <utility>

namespace packhorse::delivery {
namespace {

// A start has other things to do first, and usually there is something to send before.
constexpr std::chrono::seconds kFirst{5};
constexpr std::chrono::seconds kAgain{30};

}  // namespace

FirstContact::FirstContact(upload::Uploader& uploader, upload::Endpoint endpoint)
    : uploader_(uploader), endpoint_(std::move(endpoint)) {}

MonoTime FirstContact::Step(bool idle, MonoTime now) {
  if (reached_) {
    return MonoTime::max();
  }
  if (!next_) {
    next_ = now + kFirst;
  }
  if (under_way_ || now < *next_) {
    return under_way_ ? MonoTime::max() : *next_;
  }
  next_ = now + kAgain;
  if (!idle) {
    return *next_;  // what is sent will tell
  }
  under_way_ = true;
  upload::Request request;
  request.only_connect = true;
  uploader_.Send(endpoint_, std::move(request),
                 [this, alive = std::weak_ptr<bool>(alive_)](const upload::Response& response) {
                   if (!alive.expired()) {
                     under_way_ = false;
                     reached_ = reached_ || response.transport == upload::Transport::kOk;
                     error_ = response.error;
                   }
                 });
  return MonoTime::max();
}

}  // namespace packhorse::delivery
