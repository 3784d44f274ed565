#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "bridge/destinations.h"
#include "config/config.h"
#include "queue/queue.h"
#include "reconcile/reconciler.h"

namespace packhorse::bridge {

// What comparisons with the clouds need of the running bridge. All references outlive it. Loop thread.
class ReconcileSurroundings final : public reconcile::Surroundings {
 public:
  // `config`: the one in force.
  ReconcileSurroundings(queue::Queue& queue, Destinations& destinations, const config::Config& config)
      : queue_(queue), destinations_(destinations), config_(config) {}

  std::vector<reconcile::Target> Targets() override;
  void ReadLedger(const std::string& destination, std::int32_t first, std::int32_t end,
                  std::function<void(Result<queue::DeliveredHours>)> done) override;
  std::set<queue::StreamHour> InBatches(const std::string& destination) override;
  void Ask(const std::string& destination, contract::ReconcileRequest request, MonoTime until,
           std::function<void(Result<outcome::Reply>)> done) override;

 private:
  queue::Queue& queue_;
  Destinations& destinations_;
  const config::Config& config_;
};

}  // namespace packhorse::bridge
