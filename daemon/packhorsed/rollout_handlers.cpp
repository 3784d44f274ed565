// `packhorse rollout`: a newer contract comes into use.

#include <array>
#include <utility>

#include "base/enum_names.h"
#include "packhorsed/handlers.h"
#include "packhorsed/rollout_json.h"

namespace packhorse::daemon {
namespace {

using delivery::RolloutAction;

constexpr EnumNames<RolloutAction, 4> kActionNames{{"pause", "resume", "advance", "rollback"}};

}  // namespace

Json RolloutJson(const std::optional<delivery::Rollout::Status>& rollout) {
  if (!rollout) {
    return {};
  }
  const delivery::Rollout::Kept& now = rollout->now;
  return {{"state", delivery::Name(now.state)},
          {"contract", now.newer},
          {"present", now.present},
          {"percent", now.percent},
          {"devices", rollout->devices},
          {"held_ms", now.held.count()},
          {"hold_ms", rollout->hold.count()},
          {"requests", now.counts.requests},
          {"records", now.counts.records},
          {"min_records", rollout->min_records},
          {"error_share", rollout->error_share},
          {"max_error_increase", rollout->max_error_increase},
          {"waits_for", rollout->waits_for},
          {"reason", now.reason}};
}

control::Answer Handlers::ShowRollouts(const control::Call&, const Args& args) {
  const auto chosen = Chosen(args);
  RETURN_IF_ERROR(chosen);
  Json destinations = Json::array();
  for (const bridge::DestinationUnit* unit : *chosen) {
    const delivery::DestinationStatus status = unit->destination->Snapshot(app_.clock.Mono());
    if (status.rollout) {
      destinations.push_back({{"name", unit->config.name}, {"rollout", RolloutJson(status.rollout)}});
    }
  }
  return Dump({{"destinations", std::move(destinations)}});
}

control::Answer Handlers::ChangeRollout(const control::Call& call, const Args& args) {
  const auto chosen = Chosen(args);
  const auto name = args.Text("action", "");
  if (!chosen || !name) {
    return !chosen ? chosen.error() : name.error();
  }
  const std::optional<RolloutAction> action = kActionNames.Find(*name);
  if (!action) {
    return Error{ErrorCode::kInvalidArgument, "a rollout has no action '" + *name + "'"};
  }
  std::vector<bridge::DestinationUnit*> rolling;
  for (bridge::DestinationUnit* unit : *chosen) {
    if (unit->destination->Snapshot(app_.clock.Mono()).rollout) {
      rolling.push_back(unit);
    }
  }
  if (rolling.size() != 1) {
    return Error{ErrorCode::kInvalidArgument, rolling.empty()
                                                  ? "there is no rollout: \"rollout\" of the destination says which"
                                                  : "there are several rollouts: say of which destination"};
  }
  RETURN_IF_ERROR(rolling.front()->destination->ChangeRollout(*action, app_.clock.Mono()));
  return ShowRollouts(call, args);
}

}  // namespace packhorse::daemon
