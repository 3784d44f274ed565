#pragma once

#include <cstdint>
#include <string>

#include "base/fixed_point.h"
#include "record/raw_message.h"

namespace packhorse::queue {

// What is added up of delivered records, for a destination that can be reconciled. Plain values.

// What the ids of delivered records of one stream and hour add to the ledger.
struct IdHash {
  StreamId stream = 0;
  std::int32_t received_hour = 0;
  std::uint64_t records = 0;
  std::uint64_t sum = 0;  // modulo 2^64, of the first eight bytes, big-endian, of the SHA-256 of each id
};

// What a measurement of delivered records of one stream and hour adds to a sum that can be reconciled.
struct FieldSum {
  StreamId stream = 0;
  std::int32_t received_hour = 0;
  std::string name;
  std::uint64_t records = 0;  // whose value is in `sum`; one without that number is, too, and adds nothing
  FixedPoint sum = {};
};

}  // namespace packhorse::queue
