#include "bridge/destinations.h"

#include <algorithm>
#include <utility>

#include "config/auth_options.h"
#include "contract/gap_contract.h"
#include "monitor/gaps.h"

namespace packhorse::bridge {
namespace {

upload::Endpoint ToEndpoint(const config::Destination& destination) {
  upload::Endpoint endpoint;
  endpoint.base_url = destination.url;
  endpoint.ca = destination.tls.ca;
  endpoint.certificate = destination.tls.certificate;
  endpoint.key = destination.tls.key;
  endpoint.pins = destination.tls.pins;
  endpoint.proxy = {destination.proxy.url, destination.proxy.ca, destination.proxy.username, "",
                    destination.proxy.no_proxy};
  endpoint.bind = destination.bind;
  endpoint.connect_timeout = destination.connect_timeout;
  endpoint.timeout = destination.timeout;
  return endpoint;
}

delivery::AcceptedTimes AcceptedBy(const contract::Accepts& declared, const config::AcceptedTimes& configured) {
  using contract::Outside;
  const std::string& outside = configured.outside;
  return {configured.oldest ? configured.oldest : declared.oldest,
          configured.newest ? configured.newest : declared.newest,
          outside == "hold"                      ? Outside::kHold
          : outside == "send_with_received_time" ? Outside::kSendWithReceivedTime
          : outside == "drop_and_report"         ? Outside::kDropAndReport
                                                 : declared.outside};
}

// What the contract declares holds beside what is configured.
void AppendDeclared(const std::vector<contract::DeclaredLimit>& declared, std::vector<limit::Window>& limits) {
  using Unit = limit::Window::Unit;
  for (const contract::DeclaredLimit& each : declared) {
    for (const auto& [unit, count] : {std::pair(Unit::kRequests, each.requests), std::pair(Unit::kRecords, each.items),
                                      std::pair(Unit::kBytes, each.bytes)}) {
      if (count > 0) {
        limits.push_back(limit::Window{unit, count, each.per});
      }
    }
  }
}

// None where the destination uses the contract already.
Result<std::optional<delivery::RolloutOptions>> RolloutOf(const config::Destination& destination,
                                                          const std::string& present) {
  if (!destination.rollout) {
    return std::optional<delivery::RolloutOptions>();
  }
  const config::Rollout& rollout = *destination.rollout;
  auto contract = contract::FindCloudContract(rollout.contract, config::PlainSettings(destination));
  RETURN_IF_ERROR(contract);
  Result<std::string> coding = config::CodingOf(destination, (*contract)->codings());
  RETURN_IF_ERROR(coding);
  if ((*contract)->name() == present) {
    return std::optional<delivery::RolloutOptions>();
  }
  delivery::AcceptedTimes accepted = AcceptedBy((*contract)->accepts(), destination.accepts);
  return std::optional(delivery::RolloutOptions{*std::move(contract), *std::move(coding), accepted, rollout.devices,
                                                rollout.steps, rollout.hold, rollout.min_records,
                                                rollout.max_error_increase});
}

}  // namespace

DestinationUnit* Destinations::Find(const std::string& name) {
  const auto unit =
      std::find_if(units_.begin(), units_.end(), [&](const DestinationUnit& each) { return each.config.name == name; });
  return unit == units_.end() ? nullptr : &*unit;
}

std::shared_ptr<const contract::CloudContract> Destinations::ContractOf(const std::string& name) {
  const DestinationUnit* unit = Find(name);
  if (unit == nullptr) {
    return nullptr;
  }
  auto contract = contract::FindCloudContract(unit->config.contract, config::PlainSettings(unit->config));
  return contract ? *std::move(contract) : nullptr;
}

Status Destinations::BindGapStreams(const config::Config& config) {
  const auto contract = contract::MakeGapContract();
  RETURN_IF_ERROR(contract);
  for (const config::Destination& destination : config.destinations) {
    const std::string name = monitor::GapStream(destination.name);
    const Result<StreamId> id = queue_.Stream(name);
    RETURN_IF_ERROR(id);
    streams_.Set(*id, delivery::StreamBinding{name, {delivery::StreamDefinition({}, *contract, false)}});
  }
  return {};
}

Status Destinations::BindStreams(const config::Config& config) {
  const auto kept = queue_.Definitions();
  if (!kept) {
    return kept.error().With("read how the streams are decoded");
  }
  StreamId before = 0;
  for (const queue::KeptDefinition& each : *kept) {
    if (std::exchange(before, each.stream) != each.stream) {
      delivery::Bind(queue_.StreamName(each.stream), *kept, each.stream, streams_);
    }
  }
  return BindGapStreams(config);
}

void Destinations::SetSharedLimits(const config::Config& before, const config::Config& config) {
  for (const auto& [name, limits] : config.shared_limits) {
    const auto known = before.shared_limits.find(name);
    const bool same = known != before.shared_limits.end() && known->second == limits;
    if (!same || !shared_limits_.contains(name)) {  // an unchanged one keeps what it has counted
      shared_limits_[name].configured = limit::RateLimit(limits);
    }
  }
}

Result<std::unique_ptr<auth::Authorizer>> MakeAuthorizer(const config::Gateway& gateway,
                                                         const config::Destination& destination,
                                                         const contract::CloudLibrary& contracts) {
  const auto of = [&](const Error& error) { return error.With("destination '" + destination.name + "'"); };
  const auto contract = contracts.Make(destination.contract, config::PlainSettings(destination));
  if (!contract) {
    return of(contract.error());
  }
  const Result<auth::AuthOptions> options = config::AuthOptions(gateway, destination, **contract);
  if (!options) {
    return of(options.error());
  }
  auto authorizer = auth::Authorizer::Make(*options);
  if (!authorizer) {
    return of(authorizer.error());
  }
  return authorizer;
}

Result<delivery::Options> DeliveryOptions(const config::Gateway& gateway, const config::Destination& destination) {
  const std::map<std::string, std::string> settings = config::PlainSettings(destination);
  auto contract = contract::FindCloudContract(destination.contract, settings);
  if (!contract) {
    return contract.error().With("destination '" + destination.name + "'");
  }
  Result<std::string> coding = config::CodingOf(destination, (*contract)->codings());
  if (!coding) {
    return coding.error().With("destination '" + destination.name + "'");
  }
  auto rollout = RolloutOf(destination, (*contract)->name());
  if (!rollout) {
    return rollout.error().With("rollout of destination '" + destination.name + "'");
  }
  delivery::Options options;
  options.name = destination.name;
  options.gateway_id = gateway.id;
  options.gateway_attributes = gateway.attributes;
  options.contract = *contract;
  options.endpoint = ToEndpoint(destination);
  options.batch = {destination.batch.max_records, destination.batch.max_bytes, destination.batch.max_age};
  options.limits = destination.limits;
  options.proxy_password = config::SourceOf(destination.proxy.password);
  options.budget = destination.budget;
  for (const config::SendWindow& window : destination.windows) {
    for (const Lane lane : window.lanes) {
      options.windows.at(static_cast<std::size_t>(lane)).push_back(window.time);
    }
  }
  AppendDeclared((*contract)->limits(), options.limits);
  options.accepted = AcceptedBy((*contract)->accepts(), destination.accepts);
  if (*rollout) {
    AppendDeclared((*rollout)->contract->limits(), options.limits);
  }
  options.rollout = *std::move(rollout);
  options.breaker.backoff_initial = destination.retry.initial;
  options.breaker.backoff_max = destination.retry.max;
  options.retry_budget = destination.retry.budget;
  options.settings = settings;
  options.outcomes = destination.outcomes;
  options.coding = *std::move(coding);
  options.live_first = destination.order == "live_first";
  options.any_order = destination.order == "any";
  options.max_in_flight = destination.max_in_flight;
  options.keeps_order = destination.receiver == "watermark";
  if (const contract::ReconcileRules* rules = (*contract)->reconcile(); rules != nullptr) {
    options.reconciled = true;
    for (const contract::ReconcileRules::Sum& sum : rules->SumsWith(destination.reconcile_sums)) {
      options.sums.push_back(sum.measurement);
    }
  }
  options.backfill_share = destination.backfill_share;
  options.backfill_after = destination.backfill_after;
  return options;
}

Result<DestinationUnit> Destinations::Make(const config::Gateway& gateway, const config::Destination& destination,
                                           std::unique_ptr<auth::Authorizer> authorizer) {
  Result<delivery::Options> options = DeliveryOptions(gateway, destination);
  RETURN_IF_ERROR(options);
  const auto shared = shared_limits_.find(destination.shared_limit);
  delivery::Dependencies dependencies{
      queue_, queue_, uploader_, events_, clock_, streams_, shared == shared_limits_.end() ? nullptr : &shared->second};
  auth::Authorizer* seen = authorizer.get();
  auto made = delivery::MakeDestination(*std::move(options), std::move(authorizer), dependencies);
  if (!made) {
    return made.error().With("destination '" + destination.name + "'");
  }
  return DestinationUnit{destination, std::move(made).value(), seen, false, std::nullopt, {}};
}

}  // namespace packhorse::bridge
