#include "bridge/destinations.h"

#include <algorithm>
#include <utility>

#include "config/auth_options.h"
#include "contract/cloud_contract.h"
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
  endpoint.connect_timeout = destination.connect_timeout;
  endpoint.timeout = destination.timeout;
  return endpoint;
}

}  // namespace

DestinationUnit* Destinations::Find(const std::string& name) {
  const auto unit =
      std::find_if(units_.begin(), units_.end(), [&](const DestinationUnit& each) { return each.config.name == name; });
  return unit == units_.end() ? nullptr : &*unit;
}

std::string Destinations::ContractOf(const std::string& name) {
  const DestinationUnit* unit = Find(name);
  return unit == nullptr ? "" : unit->config.contract;
}

Status Destinations::BindGapStreams(const config::Config& config) {
  const auto contract = contract::MakeGapContract();
  RETURN_IF_ERROR(contract);
  for (const config::Destination& destination : config.destinations) {
    const std::string name = monitor::GapStream(destination.name);
    const Result<StreamId> id = queue_.Stream(name);
    RETURN_IF_ERROR(id);
    streams_.insert_or_assign(*id, delivery::StreamBinding{name, {delivery::StreamDefinition({}, *contract, false)}});
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
      shared_limits_.insert_or_assign(name, limit::RateLimit(limits));
    }
  }
}

Result<std::unique_ptr<auth::Authorizer>> MakeAuthorizer(const config::Destination& destination) {
  auto authorizer = auth::Authorizer::Make(config::AuthOptions(destination));
  if (!authorizer) {
    return authorizer.error().With("destination '" + destination.name + "'");
  }
  return authorizer;
}

Result<DestinationUnit> Destinations::Make(const config::Gateway& gateway, const config::Destination& destination,
                                           std::unique_ptr<auth::Authorizer> authorizer) {
  auto contract = contract::FindCloudContract(destination.contract);
  if (!contract) {
    return contract.error().With("destination '" + destination.name + "'");
  }
  delivery::Options options;
  options.name = destination.name;
  options.gateway_id = gateway.id;
  options.gateway_attributes = gateway.attributes;
  options.contract = *contract;
  options.endpoint = ToEndpoint(destination);
  options.batch = {destination.batch.max_records, destination.batch.max_bytes, destination.batch.max_age};
  options.limits = destination.limits;
  options.breaker.backoff_initial = destination.retry.initial;
  options.breaker.backoff_max = destination.retry.max;
  options.retry_budget = destination.retry.budget;
  options.gzip = destination.compression == "gzip";
  options.live_first = destination.order == "live_first";
  options.keeps_order = destination.receiver == "watermark";
  options.backfill_share = destination.backfill_share;
  options.backfill_after = destination.backfill_after;

  const auto shared = shared_limits_.find(destination.shared_limit);
  delivery::Dependencies dependencies{
      queue_, queue_, uploader_, events_, clock_, streams_, shared == shared_limits_.end() ? nullptr : &shared->second};
  auth::Authorizer* seen = authorizer.get();
  auto made = delivery::MakeDestination(std::move(options), std::move(authorizer), dependencies);
  if (!made) {
    return made.error().With("destination '" + destination.name + "'");
  }
  return DestinationUnit{destination, std::move(made).value(), seen, false, std::nullopt, {}};
}

}  // namespace packhorse::bridge
