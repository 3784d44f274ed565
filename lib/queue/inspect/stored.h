#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "queue/clock/clock_epochs.h"
#include "queue/tables/reader.h"
#include "queue/values/queue_ids.h"

namespace packhorse::queue {

// Takes stored messages out of a queue's database, page by page, with or without a daemon that works on it meanwhile.
// Everything that is stored is shown, also what was delivered and whose segment is still kept for other messages.

struct StoredFilter {
  std::string stream;          // empty: all
  std::optional<Lane> lane;    // none: all
  WallTime from{};             // of arrival, included
  std::optional<WallTime> to;  // not included
};

// Where a page begins, and the last number of each lane that belongs to the whole: what arrives later does not, so that
// taking out ends however fast it arrives.
struct StoredPlace {
  Lane lane = Lane::kUrgent;
  Sequence sequence = 0;
  std::array<Sequence, kLanes> through{};
};
// As text for another process, and back; none when it is no such text.
std::string Format(const StoredPlace& place);
std::optional<StoredPlace> ParseStoredPlace(std::string_view text);

struct StoredPage {
  std::vector<std::pair<Lane, StoredMessage>> messages;
  std::optional<StoredPlace> next;  // none: that was all
};

struct PageBounds {
  std::size_t messages = 500;
  std::uint64_t bytes = 1ULL << 20U;    // of payload, about: a page has one message at least, if there is one
  std::uint64_t scanned = 4ULL << 20U;  // of stored bytes looked at, so that a page of few messages takes no longer
};

// Memory: one page and one segment. Not thread-safe.
class StoredMessages {
 public:
  static Result<StoredMessages> Open(const std::string& path);

  const QueueIds& ids() const { return ids_; }
  std::string StreamName(StreamId id) const;
  Result<StoredPlace> First();
  // kNotFound when the filter names a stream that this queue never had.
  Result<StoredPage> Read(const StoredFilter& filter, const StoredPlace& from, const PageBounds& bounds);

 private:
  StoredMessages(Database db, Reader reader) : db_(std::move(db)), reader_(std::move(reader)) {}

  Database db_;
  Reader reader_;
  QueueIds ids_;
  ClockEpochs clock_epochs_;
  std::map<StreamId, std::string> streams_;
};

}  // namespace packhorse::queue
