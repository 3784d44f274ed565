#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace packhorse::config {

// Which times of records a destination takes: what holds in the place of what its contract says. As checked: plain
// values.
struct AcceptedTimes {
  std::optional<std::chrono::milliseconds> oldest;
  std::optional<std::chrono::milliseconds> newest;
  std::string outside;  // empty: as the contract says

  bool operator==(const AcceptedTimes&) const = default;
};

}  // namespace packhorse::config
