#include "bridge/refused_contracts.h"

#include <algorithm>

#include "base/units.h"

namespace packhorse::bridge {
namespace {

constexpr health::EventName kContractRefused = "contract_refused";
constexpr std::size_t kShown = 1'000;

}  // namespace

void FollowRefusedContracts(const contract::CloudLibrary& contracts, health::Events& events, WallTime now) {
  for (const auto& [name, problem] : contracts.broken()) {
    events.Raise(kContractRefused, name, Shorten(problem, kShown), now);
  }
  events.ResolveIf(
      [&](const health::Event& event, const health::EventKind& kind) {
        return kind.name == "contract_refused" &&
               std::none_of(contracts.broken().begin(), contracts.broken().end(),
                            [&](const auto& broken) { return broken.first == event.subject; });
      },
      now);
}

}  // namespace packhorse::bridge
