// A year of a gateway's life within seconds: the real queue, delivery and limits between a scripted broker and a
// scripted cloud, with clock errors, restored copies, outages, poisoned records and lying clouds, all from one seed.

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <random>

#include "year.h"

namespace packhorse::simulation {
namespace {

std::uint64_t FromEnvironment(const char* name, std::uint64_t fallback) {
  const char* text = std::getenv(name);
  return text == nullptr ? fallback : std::strtoull(text, nullptr, 10);
}

// Parts that run beside each other.
constexpr int kParts = 2;
class SimulatedYear : public testing::TestWithParam<int> {};

TEST_P(SimulatedYear, NothingIsLostOrBuriedThatTheScriptDidNotMakeImpossible) {
  const std::uint64_t seed = FromEnvironment("PACKHORSE_SEED", std::random_device()());
  const std::uint64_t years = FromEnvironment("PACKHORSE_YEARS", kParts);
  std::cout << "PACKHORSE_SEED=" << seed << " PACKHORSE_YEARS=" << years << std::endl;
  for (auto i = static_cast<std::uint64_t>(GetParam()); i < years && !HasFailure(); i += kParts) {
    const auto began = std::chrono::steady_clock::now();
    Year year(seed + i, Script{});
    const std::string problem = year.Play();
    EXPECT_EQ(problem, "") << "PACKHORSE_SEED=" << seed + i << " PACKHORSE_YEARS=1";
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    std::cout << "seed " << seed + i << " in " << took.count() << " s\n" << year.Describe() << std::endl;
  }
}

INSTANTIATE_TEST_SUITE_P(Parts, SimulatedYear, testing::Range(0, kParts));

}  // namespace
}  // namespace packhorse::simulation
