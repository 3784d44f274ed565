// What people see of a rollout.

#include <cmath>

#include "packhorse/json_view.h"
#include "packhorse/views.h"

namespace packhorse::cli {
namespace {

std::string PercentText(const JsonView& share) {
  const auto tenths = static_cast<std::uint64_t>(std::round(1'000 * share.Number().value_or(0)));
  return Grouped(tenths / 10) + (tenths % 10 == 0 ? "" : "." + std::to_string(tenths % 10)) + " %";
}

std::string WhoGoes(const JsonView& rollout) {
  const std::uint64_t named = rollout["devices"].Count();
  const std::uint64_t percent = rollout["percent"].Count();
  const std::string names = named == 0 ? "" : Grouped(named) + (named == 1 ? " named device" : " named devices");
  if (percent == 0) {
    return names;
  }
  return Grouped(percent) + " % of the devices" + (names.empty() || percent == 100 ? "" : " and " + names);
}

}  // namespace

std::string RolloutLine(const JsonView& rollout) {
  const std::string state = rollout["state"].Text();
  if (state.empty()) {
    return "";
  }
  if (state == "finished") {
    return rollout["contract"].Shown() + " sends all devices; write it into the configuration";
  }
  if (state == "rolled_back") {
    return rollout["contract"].Shown() + " was rolled back, " + rollout["present"].Shown() +
           " sends everything: " + rollout["reason"].Shown();
  }
  const std::string waits = rollout["waits_for"].Shown();
  return rollout["contract"].Shown() + " sends " + WhoGoes(rollout) + (state == "paused" ? ", paused; " : "; ") +
         Grouped(rollout["records"].Count()) + " records by it in this step, errors " +
         PercentText(rollout["error_share"]) + " (at most " + PercentText(rollout["max_error_increase"]) + ")" +
         (state == "paused" || waits.empty() ? "" : "; the next step waits for " + waits);
}

std::string RolloutsText(const std::string& json, const Style& style) {
  std::string text;
  for (const JsonView& destination : JsonView(json)["destinations"].Items()) {
    text += Wrap(RolloutLine(destination["rollout"]), style.Title(destination["name"].Shown()) + ": ", 4);
  }
  return text.empty() ? "no rollouts\n" : text;
}

}  // namespace packhorse::cli
