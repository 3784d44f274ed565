#include "common/contract_folder.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/file.h"

namespace packhorse::daemon {

std::string ContractFolderOf(const std::string& config_file) { return FolderOf(config_file) + "/contracts"; }

std::shared_ptr<const contract::CloudLibrary> LoadContracts(const std::string& config_file, config::Loaded& loaded) {
  const std::shared_ptr<const contract::CloudLibrary> before = contract::CloudContracts();
  contract::CloudLibrary::Loaded contracts = contract::CloudLibrary::Load(ContractFolderOf(config_file), before.get());
  std::vector<config::Destination> destinations = loaded.config.destinations;
  destinations.insert(destinations.end(), loaded.config.shadows.begin(), loaded.config.shadows.end());
  // A destination that finds another minor, or the copy of before, goes on with that.
  const bool all_found = std::all_of(destinations.begin(), destinations.end(), [&](const config::Destination& each) {
    return contracts.library->Find(each.contract) != nullptr &&
           (!each.rollout || contracts.library->Find(each.rollout->contract) != nullptr);
  });
  for (document::Problem& problem : contracts.problems) {
    if (all_found) {
      problem.severity = document::Problem::Severity::kWarning;
    }
    loaded.problems.push_back(std::move(problem));
  }
  return std::move(contracts.library);
}

}  // namespace packhorse::daemon
