#pragma once

#include <string>
#include <vector>

#include "record/canonical_record.h"

namespace packhorse::tryout {

// A record that shows what a template does with it.
struct Probe {
  std::string what;  // "a record with everything", "a record without a device"
  CanonicalRecord record;
};

// The first has everything that a record can have; each other one lacks one thing, or is of another kind. The device's
// time and that of arrival differ, so that one never looks like the other.
std::vector<Probe> Probes();

}  // namespace packhorse::tryout
