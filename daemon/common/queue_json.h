#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "config/config.h"
#include "queue/inspect/check.h"
#include "queue/inspect/stored.h"
#include "queue/queue.h"
#include "queue/values/ledger.h"
#include "record/canonical_record.h"

namespace packhorse::daemon {

// What the queue says of itself as JSON (public surface: members are added, never renamed), the same from the running
// daemon and from the file of a stopped one. Times are RFC 3339 UTC, or null where there is none. Of payloads,
// lists show the beginnings; dead_json.h shows whole ones.

std::string QueueJson(const config::Queue& config, const queue::Stats& stats);
// Beside it what waits for one destination.
struct DestinationLoad {
  std::string name;
  std::uint64_t pending = 0;
  std::uint64_t in_flight = 0;
  WallTime oldest_at{};
};
std::string QueueStatsJson(const config::Queue& config, const queue::Stats& stats,
                           const std::vector<DestinationLoad>& destinations);
std::string TotalJson(const queue::Ledger& ledger);
std::string LedgerJson(const queue::Ledger& ledger, const std::vector<std::string>& problems, bool checked);
// `more`: there are further ones after the last.
std::string QuarantineJson(const queue::QueueIds& ids, const std::vector<queue::QuarantinedMessage>& messages,
                           bool more);

// Messages that wait in one lane of a destination, the next one first.
struct Waiting {
  std::string destination;
  Lane lane = Lane::kNormal;
  std::uint64_t messages = 0;  // how many wait
  std::vector<queue::StoredMessage> next;
};
// Payload that one look reads of them, per destination and lane.
inline constexpr std::uint64_t kPeekBytes = 4ULL << 20U;
using StreamNames = std::function<std::string(StreamId)>;
std::string PeekJson(const queue::QueueIds& ids, const std::vector<Waiting>& waiting, const StreamNames& stream_name);

// `key` is what was asked for. kNotFound when it is not of this queue.
Status CheckOfQueue(const RecordKey& key, const queue::QueueIds& ids);
// kInvalidArgument when the text is no record id.
Result<RecordKey> ReadRecordId(const std::string& text);
std::string WhereJson(const RecordKey& key, const queue::MessageTrace& found);

std::string CheckJson(const std::string& queue_id, const queue::CheckReport& report);

// A page of stored messages with their whole payloads, base64 where they are no text; `next` says where the next page
// begins. A payload that would make its message longer than `max_entry_bytes` is left out, and the message says so.
std::string StoredJson(const queue::StoredMessages& stored, const queue::StoredPage& page, std::size_t max_entry_bytes);

std::string ReplayJson(const queue::Replay& replay);
// `{"replays":[...]}`; `running`: only those.
std::string ReplaysJson(const std::vector<queue::Replay>& replays, bool running);

// About `limit` of what was read with kLanes more than that, and whether there are more. All of one number stay
// together, one for each lane at most: the next page begins behind it.
bool CutPage(std::vector<queue::QuarantinedMessage>& messages, std::size_t limit);

}  // namespace packhorse::daemon
