#pragma once

#include <istream>

#include "packhorse/globals.h"
#include "packhorse/reading.h"

namespace packhorse::cli {

// `packhorse decode`: what the bridge would make of a payload, without a daemon. Reads at most 256 MiB from `in`. Exit
// code 0 with records or when there is nothing to upload, 1 when it would be quarantined, 2 for bad arguments, 78 when
// a configuration that was named has errors.
int Decode(const Globals& globals, const ReadingOptions& options, std::istream& in);

}  // namespace packhorse::cli
