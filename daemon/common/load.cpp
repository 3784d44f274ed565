#include "common/load.h"

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "common/contract_folder.h"
#include "common/start_check.h"
#include "contract/cloud_contract.h"
#include "contract/cloud_library.h"
#include "contract/device_contract.h"
#include "document/problems.h"

namespace packhorse::daemon {
namespace {

void AddUnlessKnown(std::vector<document::Problem>& problems, document::Problem problem) {
  const bool known = std::any_of(problems.begin(), problems.end(), [&](const document::Problem& other) {
    return other.severity == document::Problem::Severity::kError && other.path == problem.path;
  });
  if (!known) {
    problems.push_back(std::move(problem));
  }
}

void CheckContracts(const std::string& file, config::Loaded& loaded) {
  const auto unknown = [&](const std::string& path, const std::string& name, const Error& error,
                           const std::vector<std::string>& released) {
    document::Problem problem;
    problem.file = file;
    problem.path = path;
    problem.value = name;
    problem.message = error.message;
    problem.allowed = Join(released);
    AddUnlessKnown(loaded.problems, std::move(problem));
  };
  for (std::size_t i = 0; i < loaded.config.streams.size(); ++i) {
    const std::string& name = loaded.config.streams[i].contract;
    if (const auto found = contract::FindDeviceContract(name); !found) {
      unknown("/streams/" + std::to_string(i) + "/contract", name, found.error(), contract::DeviceContractNames());
    }
  }
  for (std::size_t i = 0; i < loaded.config.destinations.size(); ++i) {
    const std::string& name = loaded.config.destinations[i].contract;
    if (const auto found = contract::FindCloudContract(name); !found) {
      unknown("/destinations/" + std::to_string(i) + "/contract", name, found.error(), contract::CloudContractNames());
    }
  }
}

std::string Counted(std::size_t count, std::string_view noun) {
  return std::to_string(count) + " " + std::string(noun) + (count == 1 ? "" : "s");
}

}  // namespace

config::Loaded LoadConfiguration(const std::string& file) {
  config::Loaded loaded = config::Load(file);
  // With errors the structure is incomplete, and an empty contract name would be reported a second time.
  if (!loaded.ok()) {
    return loaded;
  }
  const std::shared_ptr<const contract::CloudLibrary> before = contract::CloudContracts();
  contract::UseCloudContracts(LoadContracts(file, loaded));
  CheckContracts(file, loaded);
  if (loaded.ok()) {
    CheckStart(file, loaded);
  }
  if (!loaded.ok()) {
    contract::UseCloudContracts(before);
  }
  return loaded;
}

ProblemCount Count(const std::vector<document::Problem>& problems) {
  ProblemCount count;
  for (const document::Problem& problem : problems) {
    ++(problem.severity == document::Problem::Severity::kError ? count.errors : count.warnings);
  }
  return count;
}

std::string Summary(const ProblemCount& count) {
  return Counted(count.errors, "error") + ", " + Counted(count.warnings, "warning");
}

}  // namespace packhorse::daemon
