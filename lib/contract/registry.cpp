#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "base/text.h"
#include "base/units.h"
#include "contract/cloud_library.h"
#include "contract/contract_files.h"
#include "contract/device_contract.h"
#include "embedded.h"

namespace packhorse::contract {
namespace {

struct DeviceEntry {
  ContractName version;
  std::shared_ptr<const DeviceContract> contract;
};

// The released device contracts, oldest version first. `error` is set when a compiled-in file is broken.
struct DeviceRegistry {
  std::vector<DeviceEntry> entries;
  std::optional<Error> error;
};

DeviceRegistry LoadDevices() {
  constexpr std::string_view kFolder = "device/";
  DeviceRegistry registry;
  for (const embedded::File& file : embedded::Files()) {
    const std::string_view below =
        file.path.starts_with(kFolder) ? file.path.substr(kFolder.size()) : std::string_view();
    if (below.empty() || below.find('/') != std::string_view::npos) {  // samples lie in folders
      continue;
    }
    auto rules = ParseDeviceContract(file.text);
    if (!rules) {
      registry.error = rules.error().With("contracts/" + std::string(file.path));
      return registry;
    }
    auto contract = MakeGenericJson(*std::move(rules));
    const auto version = ParseContractName(contract->name());
    registry.entries.push_back({*version, std::move(contract)});
  }
  std::sort(registry.entries.begin(), registry.entries.end(), [](const auto& a, const auto& b) {
    return std::tie(a.version.name, a.version.major, a.version.minor) <
           std::tie(b.version.name, b.version.major, b.version.minor);
  });
  return registry;
}

const DeviceRegistry& Devices() {
  static const DeviceRegistry registry = LoadDevices();
  return registry;
}

}  // namespace

Result<std::shared_ptr<const DeviceContract>> FindDeviceContract(std::string_view name) {
  const DeviceRegistry& registry = Devices();
  if (registry.error) {
    return *registry.error;
  }
  const auto wanted = ParseContractName(name);
  RETURN_IF_ERROR(wanted);
  // The newest minor is the last that matches.
  const auto fits = [&](const DeviceEntry& entry) {
    return entry.version.name == wanted->name && entry.version.major == wanted->major &&
           (!wanted->minor || entry.version.minor == wanted->minor);
  };
  const auto newest = std::find_if(registry.entries.rbegin(), registry.entries.rend(), fits);
  if (newest != registry.entries.rend()) {
    return newest->contract;
  }
  return Error{ErrorCode::kNotFound,
               "no device contract \"" + Shorten(name, 80) + "\"; there are: " + Join(DeviceContractNames())};
}

std::vector<std::string> DeviceContractNames() {
  std::vector<std::string> names;
  for (const DeviceEntry& entry : Devices().entries) {
    names.push_back(entry.contract->name());
  }
  return names;
}

Result<std::shared_ptr<const CloudContract>> FindCloudContract(std::string_view name, const SettingValues& settings) {
  return CloudContracts()->Make(name, settings);
}

std::vector<std::string> CloudContractNames() { return CloudContracts()->Names(); }

}  // namespace packhorse::contract
