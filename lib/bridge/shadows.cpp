#include "bridge/shadows.h"

#include <algorithm>
#include <utility>

#include "health/log.h"

namespace packhorse::bridge {
namespace {

using namespace std::chrono_literals;

constexpr auto kIdleShadows = 1h;

std::set<std::string> StreamsOf(const config::Config& config, const std::string& shadow) {
  std::set<std::string> streams;
  for (const config::Stream& stream : config.streams) {
    if (std::find(stream.shadows.begin(), stream.shadows.end(), shadow) != stream.shadows.end()) {
      streams.insert(stream.name);
    }
  }
  return streams;
}

}  // namespace

Shadows::~Shadows() {
  if (follows_) {
    observer_.Unfollow(*follows_);
  }
}

Result<Shadows::Shadow> Shadows::Make(const config::Gateway& gateway, const config::Destination& destination) {
  auto authorizer = MakeAuthorizer(gateway, destination, *contract::CloudContracts());
  RETURN_IF_ERROR(authorizer);
  Result<delivery::Options> options = DeliveryOptions(gateway, destination);
  RETURN_IF_ERROR(options);
  options->reconciled = false;  // no ledger has what it took
  Shadow shadow;
  shadow.config = destination;
  shadow.queue = std::make_unique<ShadowQueue>(queue_.ids(), clock_);
  auto made = delivery::MakeDestination(*std::move(options), *std::move(authorizer),
                                        delivery::Dependencies{*shadow.queue, *shadow.queue, uploader_, events_, clock_,
                                                               destinations_.streams(), nullptr});
  RETURN_IF_ERROR(made);
  shadow.destination = *std::move(made);
  return shadow;
}

void Shadows::Configure(const config::Config& config) {
  const std::shared_ptr<const contract::CloudLibrary> contracts = contract::CloudContracts();
  std::vector<Shadow> shadows;
  for (const config::Destination& destination : config.shadows) {
    const auto before = std::find_if(shadows_.begin(), shadows_.end(), [&](const Shadow& each) {
      return each.config == destination && gateway_ == config.gateway && contracts_ &&
             contracts_->SameIn(*contracts, destination.contract, config::PlainSettings(destination));
    });
    if (before != shadows_.end() && before->destination) {
      shadows.push_back(std::move(*before));
    } else {
      Result<Shadow> made = Make(config.gateway, destination);
      if (!made) {
        health::Log(health::LogLevel::kWarning, "shadow_left_out", made.error().message,
                    {{"destination", destination.name}});
        continue;
      }
      shadows.push_back(*std::move(made));
    }
    shadows.back().streams = StreamsOf(config, destination.name);
  }
  shadows_ = std::move(shadows);
  gateway_ = config.gateway;
  contracts_ = contracts;
  FollowObserver();
}

// It decodes everything for whoever follows: only while there is a shadow.
void Shadows::FollowObserver() {
  if (!shadows_.empty() && !follows_) {
    shed_ = observer_.Snapshot().shed;
    follows_ = observer_.Follow([this](const observer::Observation& observation) { Note(observation); });
  } else if (shadows_.empty() && follows_) {
    observer_.Unfollow(*follows_);
    follows_.reset();
  }
}

void Shadows::Note(const observer::Observation& observation) {
  const std::string stream = queue_.StreamName(observation.stored.message.stream);
  for (Shadow& shadow : shadows_) {
    if (shadow.streams.contains(stream)) {
      shadow.queue->Add(observation.lane, observation.stored);
      fed_ = true;
    }
  }
}

MonoTime Shadows::Step(MonoTime now) {
  fed_ = false;
  MonoTime next = now + kIdleShadows;
  if (shadows_.empty()) {
    return next;
  }
  const std::uint64_t missed = observer_.Snapshot().shed - shed_;
  shed_ += missed;
  for (Shadow& shadow : shadows_) {
    shadow.queue->Miss(missed);
    shadow.queue->Poll();
    next = std::min(next, shadow.destination->Step(now));
    // What was asked of its queue just now has its answer in the next iteration.
    next = shadow.queue->answers() ? now : next;
  }
  return next;
}

std::vector<ShadowStatus> Shadows::Snapshot(MonoTime now) const {
  std::vector<ShadowStatus> all;
  for (const Shadow& shadow : shadows_) {
    all.push_back({shadow.destination->Snapshot(now), shadow.queue->counts()});
  }
  return all;
}

}  // namespace packhorse::bridge
