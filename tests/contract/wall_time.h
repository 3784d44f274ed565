#pragma once

#include <gtest/gtest.h>

#include <string>

#include "base/clock.h"
#include "contract/device_time.h"

namespace packhorse::test {

// An RFC 3339 time of a sample file.
inline WallTime ToWallTime(const std::string& text) {
  const auto parsed = contract::ParseDateTime(text);
  EXPECT_TRUE(parsed && parsed->has_zone) << text;
  return parsed ? WallTime(std::chrono::seconds(parsed->instant.seconds) +
                           std::chrono::microseconds(parsed->instant.nanos / 1000))
                : WallTime{};
}

}  // namespace packhorse::test
