#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "contract/cloud_contract.h"

namespace packhorse::delivery {

// How old and how new a record may be for a destination's API, by the time that its contract sends: what the contract
// declares, or the configuration in its place (contracts.md, `accepts`). Plain values; any thread.

// Reasons in the ledger for records that are not sent because of their time.
inline constexpr std::string_view kTooOld = "too_old";
inline constexpr std::string_view kTooNew = "too_new";

struct AcceptedTimes {
  std::optional<std::chrono::milliseconds> oldest = {};  // before the present time; none: any
  std::optional<std::chrono::milliseconds> newest = {};  // ahead of it
  contract::Outside outside = contract::Outside::kDropAndReport;

  bool limited() const { return oldest || newest; }
  // Of a record of this age, which is below 0 where its time lies ahead: kTooOld or kTooNew; empty: it is taken.
  std::string_view Refuses(std::chrono::microseconds age) const;
  // "at most 1h old": for people.
  std::string Words() const;
  // How long before records become too old somebody is told: an hour, of less than four hours a quarter.
  std::chrono::milliseconds Notice() const;
};

// Records that were not sent because of their time.
struct OutsideTimes {
  std::uint64_t too_old = 0;
  std::uint64_t too_new = 0;
  WallTime first{};
  WallTime last{};

  bool empty() const { return too_old + too_new == 0; }
  // No record where the reason is none of the two.
  void Add(const contract::RenderedRecord& record);
  void Add(const OutsideTimes& others);
};

// For people.
std::string TextOf(const OutsideTimes& times, const AcceptedTimes& accepted);

// Tells of them once for each outage: the first at once, then what came since, at most once a minute and once they
// end. What comes ten minutes after the last one is another outage. Loop thread.
class OutsideNotice {
 public:
  void Add(const OutsideTimes& times, MonoTime now);
  // When there is something to tell; none: nothing new.
  std::optional<MonoTime> due() const;
  // All of this outage, for people. Counts as told.
  std::string Take(const AcceptedTimes& accepted, MonoTime now);

 private:
  OutsideTimes all_;
  std::uint64_t told_ = 0;
  MonoTime told_at_{};
  MonoTime last_at_{};
};

// What was told of a destination's records.
struct TimesTold {
  OutsideNotice outside;
  std::string why_held;      // the last one
  std::optional<bool> held;  // whether one was, when that was told last; none: not looked at yet
  MonoTime ages_at{};        // when the ages were looked at
};

}  // namespace packhorse::delivery
