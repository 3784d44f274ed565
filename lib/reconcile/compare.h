#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/fixed_point.h"
#include "queue/values/ledger.h"

namespace packhorse::reconcile {

using queue::DeliveredHours;
using queue::StreamHour;

// What a cloud says that it has of a stream and an hour.
struct CloudCount {
  std::uint64_t records = 0;
  std::optional<std::uint64_t> id_hash;
  std::map<std::string, FixedPoint> sums = {};  // by measurement, those that it tells
};
using CloudHours = std::map<StreamHour, CloudCount>;

// A stream and hour of which both sides have something else.
struct Difference {
  enum class What : std::uint8_t {
    kMissing,  // the cloud has less than was delivered
    kExtra,    // it has more
    kOther,    // as many, but others
    kSum,      // the same ones, or as many where it cannot tell which; but measurements add up to something else
  };
  struct Sum {
    std::string measurement;
    FixedPoint ours;
    FixedPoint theirs;
  };
  StreamHour of;
  std::uint64_t ours = 0;
  std::uint64_t theirs = 0;
  What what = What::kMissing;
  std::vector<Sum> sums = {};  // kSum: those that differ
};

struct Comparison {
  std::vector<Difference> differences;  // by stream, then hour
  std::uint64_t equal = 0;              // hours of streams
  std::set<StreamHour> unsure;          // records of them are on their way: nothing can be said yet
  std::uint64_t explained = 0;          // the cloud has more, and there is a reason
  std::set<std::string> foreign;        // streams that this destination never had
};

// Our side of a comparison: the ledger before the cloud was asked and after it has answered, and the hours of which
// batches were under way when the second reading was asked for. What changed meanwhile is unsure.
struct OurSide {
  const DeliveredHours& before;
  const DeliveredHours& after;
  const std::set<StreamHour>& in_batches;
};

// Compares the hours of [first, end). Pure. The cloud may have more for good reasons: what was sent again by a replay
// need not have been delivered before, a refused or suspect record may have been stored all the same, and a power cut
// may forget the count of what was delivered (DeliveredHours::forgotten), as may a new database
// (DeliveredHours::first_hour). A sum is compared where ours has all delivered records of its hour. A cloud may add in
// floating point: sums are equal that are no farther apart than a billionth of the sum, or of 1 for each record.
Comparison Compare(const OurSide& ours, const CloudHours& theirs, std::int32_t first, std::int32_t end);

}  // namespace packhorse::reconcile
