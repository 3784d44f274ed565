#include "monitor/gaps.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

namespace packhorse::monitor {
namespace {

constexpr std::chrono::seconds kCollect{10};

}  // namespace

std::string GapStream(const std::string& destination) { return std::string(queue::kOwnStreams) + destination; }

void Gaps::Add(const queue::GivenUp& given_up, MonoTime now) {
  const auto [found, fresh] = gaps_.try_emplace(Key{given_up.destination, given_up.lane, given_up.reason});
  Gap& gap = found->second;
  if (fresh) {
    gap = Gap{given_up.outcome, given_up.first, given_up.last, given_up.messages, now};
    return;
  }
  gap.messages += given_up.messages;
  if (given_up.first > 0) {
    gap.first = gap.first == 0 ? given_up.first : std::min(gap.first, given_up.first);
    gap.last = std::max(gap.last, given_up.last);
  }
}

void Gaps::Store(MonoTime now, bool all) {
  if (gaps_.empty()) {
    return;
  }
  const std::set<std::string> untold = all ? std::set<std::string>() : Untold();
  std::erase_if(gaps_, [&](const auto& each) {
    const bool due = now - each.second.since >= kCollect && !untold.contains(std::get<0>(each.first));
    return (all || due) && Store(each.first, each.second);
  });
}

std::set<std::string> Gaps::Untold() const {
  std::set<std::string> untold;
  if (const Result<queue::Ledger> ledger = queue_.ReadLedger()) {
    for (const queue::LedgerRow& row : ledger->rows) {
      if (row.pending > 0 && row.stream == GapStream(row.destination)) {
        untold.insert(row.destination);
      }
    }
  }
  return untold;
}

bool Gaps::Tell(const std::string& destination, std::string_view outcome, std::string text) {
  const auto contract = contract_of_(destination);
  return contract == nullptr || !contract->TellsGap(outcome) || Store(destination, std::move(text));
}

bool Gaps::Store(const Key& key, const Gap& gap) {
  const auto& [destination, lane, reason] = key;
  nlohmann::ordered_json text = {
      {"messages", gap.messages}, {"outcome", Name(gap.outcome)}, {"reason", reason}, {"lane", Name(lane)}};
  if (gap.first > 0) {
    text["first_sequence"] = gap.first;
    text["last_sequence"] = gap.last;
  }
  return Store(destination, text.dump());
}

// False: the queue has no room for it right now.
bool Gaps::Store(const std::string& destination, std::string text) {
  const Result<StreamId> stream = queue_.Stream(GapStream(destination));
  if (!stream) {
    return true;  // the destination is no longer configured: there is nobody to tell
  }
  RawMessage message;
  message.stream = *stream;
  message.payload = std::move(text);
  message.received_at = clock_.Wall();
  message.boot_time = clock_.Boot();
  message.clock = clock_.Synchronized() ? ClockState::kSynchronized : ClockState::kUnsynchronized;
  return queue_.TryAppend(message);
}

}  // namespace packhorse::monitor
