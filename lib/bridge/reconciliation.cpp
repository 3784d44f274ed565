#include "bridge/reconciliation.h"

#include <algorithm>
#include <utility>

#include "outcome/outcome_rules.h"

namespace packhorse::bridge {
namespace {

outcome::Reply ToReply(upload::Response response) {
  outcome::Reply reply;
  reply.complete = true;
  reply.status = response.status;
  reply.headers = std::move(response.headers);
  reply.body = std::move(response.body);
  reply.truncated = response.truncated;
  return reply;
}

}  // namespace

std::vector<reconcile::Target> ReconcileSurroundings::Targets() {
  std::vector<reconcile::Target> targets;
  for (const DestinationUnit& unit : destinations_.units()) {
    reconcile::Target target;
    target.name = unit.config.name;
    target.contract = destinations_.ContractOf(unit.config.name);
    target.gateway.gateway_id = config_.gateway.id;
    target.gateway.gateway_attributes = config_.gateway.attributes;
    target.url = unit.config.url;
    target.every = unit.config.reconcile_every;
    for (const config::Stream& stream : config_.streams) {
      const bool to_it =
          std::find(stream.destinations.begin(), stream.destinations.end(), target.name) != stream.destinations.end();
      if (to_it && stream.retain_delivered.count() > 0) {
        target.replayable.insert(stream.name);
      }
    }
    if (target.contract != nullptr) {
      if (const contract::ReconcileRules* rules = target.contract->reconcile(); rules != nullptr) {
        target.sums = rules->SumsWith(unit.config.reconcile_sums);
      }
      targets.push_back(std::move(target));
    }
  }
  return targets;
}

void ReconcileSurroundings::ReadLedger(const std::string& destination, std::int32_t first, std::int32_t end,
                                       std::function<void(Result<queue::DeliveredHours>)> done) {
  queue_.Checkpoint([this, destination, first, end, done = std::move(done)](const Status& status) {
    done(status ? queue_.DeliveredByHour(destination, first, end, reconcile::kMaxHours)
                : Result<queue::DeliveredHours>(status.error()));
  });
}

std::set<queue::StreamHour> ReconcileSurroundings::InBatches(const std::string& destination) {
  return queue_.HoursInBatches(destination);
}

void ReconcileSurroundings::Ask(const std::string& destination, contract::ReconcileRequest request, MonoTime until,
                                std::function<void(Result<outcome::Reply>)> done) {
  DestinationUnit* unit = destinations_.Find(destination);
  if (unit == nullptr) {
    // As all answers: not from within the call.
    queue_.Checkpoint([done = std::move(done)](const Status&) {
      done(Error{ErrorCode::kNotFound, "the destination is not configured any more"});
    });
    return;
  }
  unit->destination->Ask(delivery::Inquiry{std::move(request.path), std::move(request.headers)}, until,
                         [done = std::move(done)](Result<upload::Response> response) {
                           done(response ? Result<outcome::Reply>(ToReply(*std::move(response))) : response.error());
                         });
}

}  // namespace packhorse::bridge
