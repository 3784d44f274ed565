#pragma once

#include <istream>
#include <optional>
#include <string>

#include "packhorse/globals.h"

namespace packhorse::cli {

struct DecodeOptions {
  std::string topic;
  std::string contract;     // empty: the configured streams by topic, then the shipped contracts
  std::string pattern;      // empty: that of the configured stream that matches
  std::string received_at;  // empty: now
  bool retained = false;
};

// `packhorse decode`: what the bridge would make of a payload, without a daemon. Reads at most 256 MiB from `in`. Exit
// code 0 with records or when there is nothing to upload, 1 when it would be quarantined, 2 for bad arguments, 78 when
// a configuration that was named has errors.
int Decode(const Globals& globals, const DecodeOptions& options, std::istream& in);

}  // namespace packhorse::cli
