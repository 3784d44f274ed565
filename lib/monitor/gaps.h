#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "base/clock.h"
#include "contract/cloud_contract.h"
#include "queue/queue.h"

namespace packhorse::monitor {

// The stream in which a destination is told what it will not get.
std::string GapStream(const std::string& destination);

// Tells each cloud what it will not get: a record of kind gap per destination, lane and reason, at most one every ten
// seconds, in a stream of the destination's own (GapStream) and counted there. While earlier ones wait to be delivered
// everything further is collected, or else they would themselves fill a queue that is full. What a crash of the process
// loses is what was collected; the ledger has the counts all the same. Loop thread.
class Gaps {
 public:
  // The cloud contract of a destination, as it is configured; empty: there is none of that name.
  // Null: the destination is not configured.
  using ContractOf = std::function<std::shared_ptr<const contract::CloudContract>(const std::string& destination)>;
  Gaps(queue::Queue& queue, const Clock& clock, ContractOf contract_of)
      : queue_(queue), clock_(clock), contract_of_(std::move(contract_of)) {}

  void Add(const queue::GivenUp& given_up, MonoTime now);
  // Stores a record of its own, which tells of `outcome`, for a destination whose contract knows that outcome. False:
  // the queue has no room for it right now.
  bool Tell(const std::string& destination, std::string_view outcome, std::string text);
  // Stores what has been collected for long enough; `all`: what there is.
  void Store(MonoTime now, bool all);

 private:
  using Key = std::tuple<std::string, Lane, std::string>;  // destination, lane, reason
  struct Gap {
    Outcome outcome = Outcome::kDropped;
    Sequence first = 0;  // 0: ended on arrival, without a number
    Sequence last = 0;
    std::uint64_t messages = 0;
    MonoTime since{};
  };
  // Destinations that have not been told the last.
  std::set<std::string> Untold() const;
  bool Store(const Key& key, const Gap& gap);
  bool Store(const std::string& destination, std::string text);

  queue::Queue& queue_;
  const Clock& clock_;
  const ContractOf contract_of_;
  std::map<Key, Gap> gaps_;
};

}  // namespace packhorse::monitor
