#pragma once

#include <string>

#include "packhorse/globals.h"

namespace packhorse::cli {

// `packhorse contract ...`: cloud contracts, those of the program and those beside the configuration. None needs a
// daemon. Exit code 1 where something was found.

// All of them; also what is wrong with files.
int ListContracts(const Globals& globals);
int ShowContract(const Globals& globals, const std::string& name);
// Loads a contract, runs its samples and says what is probably not meant in it.
int TestContract(const Globals& globals, const std::string& file_or_name);
// What a receiver of the old one may not stand in the new one.
int CheckContracts(const Globals& globals, const std::string& before, const std::string& after);

}  // namespace packhorse::cli
