#pragma once

#include <cstdint>
#include <string_view>

namespace packhorse::cloud {

// "k3f9.n.1001" or "k3f9.n.1001.2": queue id, lane letter, sequence and, where one message gave several records, which
// one.
struct RecordIdParts {
  bool valid = false;
  std::string_view queue_id;
  std::string_view lane;
  std::uint64_t sequence = 0;
  std::uint64_t part = 0;
};

RecordIdParts SplitRecordId(std::string_view record_id);

}  // namespace packhorse::cloud
