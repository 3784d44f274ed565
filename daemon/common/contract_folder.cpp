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
    const contract::SettingValues settings = config::PlainSettings(each);
    return contracts.library->Usable(each.contract, settings) &&
           (!each.rollout || contracts.library->Usable(each.rollout->contract, settings));
  });
  loaded.AddBeside(std::move(contracts.problems), !all_found);
  return std::move(contracts.library);
}

}  // namespace packhorse::daemon
