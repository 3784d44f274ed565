#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace packhorse::config {

// A newer cloud contract that a destination brings into use step by step. As checked: plain values.
struct Rollout {
  std::string contract;
  std::vector<std::string> devices;  // that go first
  std::vector<std::uint32_t> steps;  // percent of the devices, rising, the last is 100
  std::chrono::milliseconds hold{};
  std::uint64_t min_records = 0;
  double max_error_increase = 0;

  bool operator==(const Rollout&) const = default;
};

}  // namespace packhorse::config
