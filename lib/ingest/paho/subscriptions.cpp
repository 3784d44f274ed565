#include "ingest/paho/subscriptions.h"

#include <algorithm>
#include <utility>

#include "base/units.h"

namespace packhorse::ingest {
namespace {

constexpr int kCloses = 2;  // once may be an accident of the network
constexpr std::chrono::milliseconds kLongestPause = std::chrono::hours(1);

}  // namespace

Subscriptions::Subscriptions(std::vector<std::string> filters, std::chrono::milliseconds again) : again_(again) {
  for (std::string& filter : filters) {
    filters_.push_back({std::move(filter), State::kUnasked, {}, 0, {}, {}});
  }
}

void Subscriptions::Begin() {
  for (Filter& filter : filters_) {
    if (filter.closes < kCloses) {
      filter.state = State::kUnasked;
    }
  }
}

bool Subscriptions::Due(const Filter& filter, Time now) const {
  return filter.state == State::kUnasked || (filter.state != State::kGranted && now >= filter.again);
}

Refusal Subscriptions::Subscribe(Connection& connection, const SourceOptions& options, Time now,
                                 std::map<std::string, int>& granted) {
  asked_alone_ = nullptr;
  std::vector<Filter*> together;
  std::vector<Filter*> alone;
  for (Filter& filter : filters_) {
    if (Due(filter, now)) {
      (one_by_one_ || filter.closes > 0 ? alone : together).push_back(&filter);
    }
  }
  if (!together.empty()) {
    const Refusal refusal = Ask(connection, options, together, now, granted);
    if (refusal.kind != Refusal::Kind::kNone) {
      return refusal;
    }
  }
  // Those that are above suspicion first, so that they are subscribed whatever the others do.
  std::stable_sort(alone.begin(), alone.end(), [](const Filter* a, const Filter* b) { return a->closes < b->closes; });
  for (Filter* filter : alone) {
    asked_alone_ = filter;
    const Refusal refusal = Ask(connection, options, {filter}, now, granted);
    if (refusal.kind != Refusal::Kind::kNone) {
      return refusal;
    }
    filter->closes = 0;
  }
  one_by_one_ = false;
  return {};
}

Refusal Subscriptions::Ask(Connection& connection, const SourceOptions& options, const std::vector<Filter*>& filters,
                           Time now, std::map<std::string, int>& granted) {
  std::vector<std::string> texts;
  for (const Filter* filter : filters) {
    texts.push_back(filter->text);
  }
  const Subscribed result = connection.Subscribe(texts, options);
  granted.insert(result.granted.begin(), result.granted.end());
  for (Filter* filter : filters) {
    if (const auto given = result.granted.find(filter->text); given != result.granted.end()) {
      filter->state = given->second > 0 ? State::kGranted : State::kQos0;
      filter->why = given->second > 0 ? "" : "granted with QoS 0 only: messages can be lost";
      filter->again = now + again_;
    }
    const auto refused = std::find_if(result.refused.begin(), result.refused.end(),
                                      [&](const Subscribed::Refused& each) { return each.filter == filter->text; });
    if (refused != result.refused.end()) {
      filter->state = State::kRefused;
      filter->why = "refused: " + refused->why;
      filter->again = now + again_;
    }
  }
  return result.refusal;
}

void Subscriptions::OnClosed(const std::string& reason, Time now) {
  if (asked_alone_ == nullptr) {
    one_by_one_ = true;
    return;
  }
  Filter& filter = *std::exchange(asked_alone_, nullptr);
  if (++filter.closes < kCloses) {
    return;
  }
  filter.state = State::kRefused;
  filter.why = "refused: the broker closes the connection when it is asked for (" + reason + ")";
  filter.pause = filter.closes == kCloses ? again_ : std::min(2 * filter.pause, kLongestPause);
  filter.again = now + filter.pause;
}

Subscriptions::Time Subscriptions::Next() const {
  Time next = Time::max();
  for (const Filter& filter : filters_) {
    if (filter.state != State::kGranted) {
      next = std::min(next, filter.again);
    }
  }
  return next;
}

std::vector<std::string> Subscriptions::Refused() const {
  std::vector<std::string> texts;
  for (const Filter& filter : filters_) {
    if (filter.state == State::kRefused) {
      texts.push_back(filter.text);
    }
  }
  return texts;
}

std::vector<std::string> Subscriptions::Qos0() const {
  std::vector<std::string> texts;
  for (const Filter& filter : filters_) {
    if (filter.state == State::kQos0) {
      texts.push_back(filter.text);
    }
  }
  return texts;
}

std::string Subscriptions::Reason() const {
  std::string reason;
  for (const Filter& filter : filters_) {
    if (!filter.why.empty() && filter.state != State::kGranted) {
      reason += (reason.empty() ? "" : "; ") + ("subscription \"" + Shorten(filter.text, 100) + "\" ") + filter.why;
    }
  }
  return reason;
}

}  // namespace packhorse::ingest
