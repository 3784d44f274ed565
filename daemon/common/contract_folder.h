#pragma once

#include <memory>
#include <string>

#include "config/config.h"
#include "contract/cloud_library.h"

namespace packhorse::daemon {

// Contracts of somebody's own lie beside the configuration: /etc/packhorse/contracts.
std::string ContractFolderOf(const std::string& config_file);

// Reads that folder and adds what is wrong with its files to the problems of `loaded`: an error where a destination
// needs the broken file, else a warning. A broken file whose contract is in force already leaves it so. REQUIRES:
// loaded.ok().
std::shared_ptr<const contract::CloudLibrary> LoadContracts(const std::string& config_file, config::Loaded& loaded);

}  // namespace packhorse::daemon
