#include "bridge/refused_contracts.h"

#include <algorithm>
#include <string>

#include "base/units.h"

namespace packhorse::bridge {
namespace {

constexpr health::EventName kContractRefused = "contract_refused";
constexpr std::size_t kShown = 1'000;

}  // namespace

void FollowRefusedContracts(const contract::CloudLibrary& contracts, health::Events& events, WallTime now) {
  for (const contract::RefusedFile& broken : contracts.broken()) {
    const std::string count =
        broken.mistakes == 1 ? "1 mistake: " : std::to_string(broken.mistakes) + " mistakes, first ";
    events.Raise(kContractRefused, broken.name, Shorten(count + broken.first, kShown), now);
  }
  events.ResolveIf(
      [&](const health::Event& event, const health::EventKind& kind) {
        return kind.name == "contract_refused" &&
               std::none_of(contracts.broken().begin(), contracts.broken().end(),
                            [&](const contract::RefusedFile& broken) { return broken.name == event.subject; });
      },
      now);
}

}  // namespace packhorse::bridge
