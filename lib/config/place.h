#pragma once

#include <cstddef>

namespace packhorse::config {

// Which entry of its list in the file it is, for messages. It says nothing of what it is: all places are equal.
struct Place {
  std::size_t index = 0;

  bool operator==(const Place& /*other*/) const { return true; }
};

}  // namespace packhorse::config
