#include "queue/tables/catch_up.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "queue/segment/message_codec.h"
#include "queue/tables/rows.h"

namespace packhorse::queue {
namespace {

// What opening a segment costs beside its bytes, in bytes: with a slow stream they are small and many.
constexpr std::uint64_t kSegmentCost = 4'096;

// What is stored of one stream in one lane that a destination is to get.
struct Found {
  DestinationId destination = 0;
  StreamId stream = 0;
  const StoredCount::OfStream* stored = nullptr;  // null: nothing
};

Result<std::vector<Found>> Subscriptions(Database& db, const std::set<DestinationId>& destinations, Lane lane,
                                         const StoredCount& count) {
  Result<Statement> rows =
      db.Prepare("SELECT destination, stream FROM subscriptions WHERE lane = ? AND through_sequence IS NULL");
  RETURN_IF_ERROR(rows);
  std::vector<Found> found;
  Status read = rows->Bind(Number(lane)).ForEach([&] {
    if (destinations.contains(rows->Int(0))) {
      const auto stream = static_cast<StreamId>(rows->Int(1));
      found.push_back(Found{rows->Int(0), stream, count.Find(lane, stream)});
    }
  });
  RETURN_IF_ERROR(read);
  return found;
}

void Count(StoredCount::OfStream& of, Sequence sequence, std::int32_t hour) {
  if (of.of_hour == nullptr || of.hour != hour) {
    of.hour = hour;
    of.of_hour = &of.by_hour[hour];
  }
  of.first = of.messages == 0 ? sequence : of.first;
  ++of.messages;
  ++*of.of_hour;
}

// The subscription reaches back no further than to what is there: of what was before it nothing is said.
Status Subscribe(Database& db, Lane lane, const Found& found) {
  Result<Statement> update = db.Prepare(
      "UPDATE subscriptions SET from_sequence = ? WHERE destination = ? AND stream = ? AND lane = ?"
      " AND through_sequence IS NULL");
  return update ? update->Bind(found.stored->first, found.destination, found.stream, Number(lane)).Run()
                : Status(update.error());
}

// Nothing waits in the open range of a destination that had no stream: it begins behind.
Status AddRange(Database& db, Lane lane, DestinationId destination, Sequence first, Sequence last,
                std::int64_t messages) {
  Result<Statement> open = db.Prepare(
      "UPDATE pending SET from_sequence = ? WHERE destination = ? AND lane = ? AND through_sequence IS NULL");
  RETURN_IF_ERROR(open);
  RETURN_IF_ERROR(open->Bind(last + 1, destination, Number(lane)).Run());
  Result<Statement> insert = db.Prepare(
      "INSERT INTO pending(destination, lane, from_sequence, through_sequence, waiting) VALUES (?, ?, ?, ?, ?)");
  return insert ? insert->Bind(destination, Number(lane), first, last, messages).Run() : Status(insert.error());
}

Status CatchUpLane(Database& db, const std::set<DestinationId>& destinations, Lane lane, Sequence last,
                   const StoredCount& count, LedgerChanges& counted) {
  const Result<std::vector<Found>> wanted = Subscriptions(db, destinations, lane, count);
  RETURN_IF_ERROR(wanted);
  struct Range {
    Sequence first = 0;
    std::int64_t messages = 0;
  };
  std::map<DestinationId, Range> ranges;
  for (const Found& found : *wanted) {
    if (found.stored == nullptr) {
      continue;
    }
    RETURN_IF_ERROR(Subscribe(db, lane, found));
    Range& range = ranges[found.destination];
    range.first = range.messages == 0 ? found.stored->first : std::min(range.first, found.stored->first);
    range.messages += found.stored->messages;
    for (const auto& [hour, messages] : found.stored->by_hour) {
      counted[LedgerKey{hour, found.stream, found.destination, kLedgerReceived, ""}].messages += messages;
    }
    counted[LedgerKey{0, found.stream, found.destination, kLedgerPending, std::string(1, Letter(lane))}].messages +=
        found.stored->messages;
  }
  for (const auto& [destination, range] : ranges) {
    RETURN_IF_ERROR(AddRange(db, lane, destination, range.first, last, range.messages));
  }
  return {};
}

}  // namespace

const StoredCount::OfStream* StoredCount::Find(Lane lane, StreamId stream) const {
  const auto found = lanes_[At(lane)].streams.find(stream);
  return found == lanes_[At(lane)].streams.end() ? nullptr : &found->second;
}

Status StoredCount::CountSegment(Sequence first, std::string_view plain, PerLane& lane) {
  OfStream* of = nullptr;
  StreamId stream = 0;
  const Result<bool> walked = WalkSegment(plain, first, 0, kMaxSequence, [&](const auto& reader, const auto& head) {
    if (of == nullptr || head.stream != stream) {
      stream = head.stream;
      of = &lane.streams[stream];
    }
    Count(*of, head.sequence, HourOf(reader.received_at()));
    return true;
  });
  lane.next = first + 1;
  return walked ? Status() : Status(walked.error());
}

Result<bool> StoredCount::Step(Database& db, std::uint64_t bytes) {
  Result<Statement> rows = db.Prepare("SELECT id, blob FROM segments WHERE id BETWEEN ? AND ? ORDER BY id");
  RETURN_IF_ERROR(rows);
  std::uint64_t done = 0;
  for (const Lane lane : kAllLanes) {
    PerLane& state = lanes_[At(lane)];
    rows->Bind(SegmentKey(lane, state.next), SegmentKey(lane, kMaxSequence));
    while (true) {
      const Result<bool> more = rows->Step();
      RETURN_IF_ERROR(more);
      if (!*more) {
        break;
      }
      if (done >= bytes) {
        return false;
      }
      const Sequence first = SegmentFirst(rows->Int(0));
      const Result<std::string> plain = OpenSegment(rows->Blob(1));
      const Status counted = plain ? CountSegment(first, *plain, state) : Status(plain.error());
      if (!counted) {
        return counted.error().With("segment " + std::to_string(first) + " of lane " + std::string(Name(lane)));
      }
      done += plain->size() + kSegmentCost;
    }
  }
  return true;
}

Result<LedgerChanges> CatchUp(Database& db, const std::set<DestinationId>& destinations,
                              const std::array<Sequence, kLanes>& last, StoredCount& count) {
  LedgerChanges counted;
  if (destinations.empty()) {
    return counted;
  }
  const Result<bool> whole = count.Step(db, std::numeric_limits<std::uint64_t>::max());
  if (!whole) {
    return whole.error().With("catch up");
  }
  for (const Lane lane : kAllLanes) {
    if (Status caught = CatchUpLane(db, destinations, lane, last.at(At(lane)), count, counted); !caught) {
      return caught.error().With("catch up");
    }
  }
  return counted;
}

}  // namespace packhorse::queue
