#include <algorithm>
#include <tuple>
#include <utility>

#include "base/units.h"
#include "contract/cloud/compiled_contract.h"
#include "contract/cloud/read_contract.h"
#include "contract/cloud_contract.h"
#include "contract/contract_files.h"
#include "contract/device_contract.h"
#include "embedded.h"

namespace packhorse::contract {
namespace {

const std::string& NameOf(const DeviceContract& contract) { return contract.name(); }
const std::string& NameOf(const CloudDefinition& contract) { return contract.contract; }

template <typename Contract>
struct Entry {
  ContractName version;
  std::shared_ptr<const Contract> contract;
};

// The released contracts of one kind, oldest version first. `error` is set when a compiled-in file is broken.
template <typename Contract>
struct Registry {
  std::vector<Entry<Contract>> entries;
  std::optional<Error> error;
};

// Loads each file below `folder` with `make`, which turns a file's text into a contract.
template <typename Contract, typename Make>
Registry<Contract> Load(std::string_view folder, Make make) {
  Registry<Contract> registry;
  for (const embedded::File& file : embedded::Files()) {
    const std::string_view below = file.path.substr(0, folder.size()) == folder ? file.path.substr(folder.size()) : "";
    if (below.empty() || below.find('/') != std::string_view::npos) {  // samples lie in folders
      continue;
    }
    Result<std::shared_ptr<const Contract>> contract = make(file.text);
    if (!contract) {
      registry.error = contract.error().With("contracts/" + std::string(file.path));
      return registry;
    }
    const auto version = ParseContractName(NameOf(**contract));
    registry.entries.push_back({*version, *contract});
  }
  std::sort(registry.entries.begin(), registry.entries.end(), [](const auto& a, const auto& b) {
    return std::tie(a.version.name, a.version.major, a.version.minor) <
           std::tie(b.version.name, b.version.major, b.version.minor);
  });
  return registry;
}

template <typename Contract>
std::vector<std::string> NamesOf(const Registry<Contract>& registry) {
  std::vector<std::string> names;
  for (const auto& entry : registry.entries) {
    names.push_back(NameOf(*entry.contract));
  }
  return names;
}

template <typename Contract>
Result<std::shared_ptr<const Contract>> Find(const Registry<Contract>& registry, std::string_view kind,
                                             std::string_view text) {
  if (registry.error) {
    return *registry.error;
  }
  const auto wanted = ParseContractName(text);
  RETURN_IF_ERROR(wanted);
  // The newest minor is the last that matches.
  for (auto entry = registry.entries.rbegin(); entry != registry.entries.rend(); ++entry) {
    if (entry->version.name == wanted->name && entry->version.major == wanted->major &&
        (!wanted->minor || entry->version.minor == wanted->minor)) {
      return entry->contract;
    }
  }
  std::string known;
  for (const std::string& name : NamesOf(registry)) {
    known += known.empty() ? name : ", " + name;
  }
  return Error{ErrorCode::kNotFound, "no " + std::string(kind) + " contract \"" + Shorten(text, 80) +
                                         "\"; there are: " + (known.empty() ? "none" : known)};
}

const Registry<DeviceContract>& DeviceRegistry() {
  static const auto registry =
      Load<DeviceContract>("device/", [](std::string_view text) -> Result<std::shared_ptr<const DeviceContract>> {
        auto rules = ParseDeviceContract(text);
        RETURN_IF_ERROR(rules);
        return MakeGenericJson(std::move(*rules));
      });
  return registry;
}

const Registry<CloudDefinition>& CloudRegistry() {
  static const auto registry =
      Load<CloudDefinition>("cloud/", [](std::string_view text) -> Result<std::shared_ptr<const CloudDefinition>> {
        const ContractRead read = ReadCloudContract(text, "");
        if (read.definition != nullptr) {
          return read.definition;
        }
        return Error{ErrorCode::kCorrupt, document::Describe(read.problems.front()).substr(2)};
      });
  return registry;
}

}  // namespace

Result<std::shared_ptr<const DeviceContract>> FindDeviceContract(std::string_view name) {
  return Find(DeviceRegistry(), "device", name);
}

std::vector<std::string> DeviceContractNames() { return NamesOf(DeviceRegistry()); }

Result<std::shared_ptr<const CloudContract>> FindCloudContract(std::string_view name, const SettingValues& settings) {
  auto definition = Find(CloudRegistry(), "cloud", name);
  RETURN_IF_ERROR(definition);
  return MakeCloudContract(std::move(*definition), settings);
}

std::vector<std::string> CloudContractNames() { return NamesOf(CloudRegistry()); }

}  // namespace packhorse::contract
