#include "queue/sqlite/catch_up.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "queue/message_codec.h"
#include "queue/sqlite/rows.h"

namespace packhorse::queue {
namespace {

// What is stored of one stream in one lane that a destination is to get.
struct Found {
  DestinationId destination = 0;
  StreamId stream = 0;
  std::optional<Sequence> first;
  std::int64_t messages = 0;
  std::int32_t hour = 0;
  LedgerCount* received = nullptr;  // of that hour, so that a message costs no look-up
};

Result<std::vector<Found>> Subscriptions(Database& db, const std::set<DestinationId>& destinations, Lane lane) {
  Result<Statement> rows =
      db.Prepare("SELECT destination, stream FROM subscriptions WHERE lane = ? AND through_sequence IS NULL");
  if (!rows) {
    return rows.error();
  }
  std::vector<Found> found;
  Status read = rows->Bind(Number(lane)).ForEach([&] {
    if (destinations.contains(rows->Int(0))) {
      found.push_back(Found{rows->Int(0), static_cast<StreamId>(rows->Int(1)), std::nullopt});
    }
  });
  if (!read) {
    return read.error();
  }
  return found;
}

void Count(Found& found, Sequence sequence, std::int32_t hour, LedgerChanges& counted) {
  if (found.received == nullptr || found.hour != hour) {
    found.hour = hour;
    found.received = &counted[LedgerKey{hour, found.stream, found.destination, kLedgerReceived, ""}];
  }
  found.first = found.first.value_or(sequence);
  ++found.messages;
  ++found.received->messages;
}

Status CountSegment(const Statement& row, Sequence last, std::vector<Found>& wanted, LedgerChanges& counted) {
  const Result<std::string> plain = OpenSegment(row.Blob(1));
  if (!plain) {
    return plain.error();
  }
  const Result<bool> walked =
      WalkSegment(*plain, SegmentFirst(row.Int(0)), 0, last, [&](const auto& reader, const auto& head) {
        for (Found& found : wanted) {
          if (found.stream == head.stream) {
            Count(found, head.sequence, HourOf(reader.received_at()), counted);
          }
        }
        return true;
      });
  return walked ? Status() : Status(walked.error());
}

Status CountStored(Database& db, Lane lane, Sequence last, std::vector<Found>& wanted, LedgerChanges& counted) {
  Result<Statement> rows = db.Prepare("SELECT id, blob FROM segments WHERE id BETWEEN ? AND ? ORDER BY id");
  if (!rows) {
    return rows.error();
  }
  rows->Bind(SegmentKey(lane, 0), SegmentKey(lane, last));
  while (true) {
    const Result<bool> more = rows->Step();
    if (!more || !*more) {
      return more ? Status() : Status(more.error());
    }
    if (Status segment = CountSegment(*rows, last, wanted, counted); !segment) {
      return segment;
    }
  }
}

// The subscription reaches back no further than to what is there: of what was before it nothing is said.
Status Subscribe(Database& db, Lane lane, const Found& found) {
  Result<Statement> update = db.Prepare(
      "UPDATE subscriptions SET from_sequence = ? WHERE destination = ? AND stream = ? AND lane = ?"
      " AND through_sequence IS NULL");
  return update ? update->Bind(*found.first, found.destination, found.stream, Number(lane)).Run()
                : Status(update.error());
}

// Nothing waits in the open range of a destination that had no stream: it begins behind.
Status AddRange(Database& db, Lane lane, DestinationId destination, Sequence first, Sequence last,
                std::int64_t messages) {
  Result<Statement> open = db.Prepare(
      "UPDATE pending SET from_sequence = ? WHERE destination = ? AND lane = ? AND through_sequence IS NULL");
  if (!open) {
    return open.error();
  }
  if (Status moved = open->Bind(last + 1, destination, Number(lane)).Run(); !moved) {
    return moved;
  }
  Result<Statement> insert = db.Prepare(
      "INSERT INTO pending(destination, lane, from_sequence, through_sequence, waiting) VALUES (?, ?, ?, ?, ?)");
  return insert ? insert->Bind(destination, Number(lane), first, last, messages).Run() : Status(insert.error());
}

Status CatchUpLane(Database& db, const std::set<DestinationId>& destinations, Lane lane, Sequence last,
                   LedgerChanges& counted) {
  Result<std::vector<Found>> wanted = Subscriptions(db, destinations, lane);
  if (!wanted || wanted->empty()) {
    return wanted ? Status() : Status(wanted.error());
  }
  if (Status read = CountStored(db, lane, last, *wanted, counted); !read) {
    return read;
  }
  std::map<DestinationId, Found> ranges;
  for (const Found& found : *wanted) {
    if (!found.first) {
      continue;
    }
    if (Status subscribed = Subscribe(db, lane, found); !subscribed) {
      return subscribed;
    }
    Found& range = ranges[found.destination];
    range.first = std::min(range.first.value_or(*found.first), *found.first);
    range.messages += found.messages;
    counted[LedgerKey{0, found.stream, found.destination, kLedgerPending, std::string(1, Letter(lane))}].messages +=
        found.messages;
  }
  for (const auto& [destination, range] : ranges) {
    if (Status added = AddRange(db, lane, destination, *range.first, last, range.messages); !added) {
      return added;
    }
  }
  return {};
}

}  // namespace

Result<LedgerChanges> CatchUp(Database& db, const std::set<DestinationId>& destinations,
                              const std::array<Sequence, kLanes>& last) {
  LedgerChanges counted;
  for (const Lane lane : kAllLanes) {
    if (Status caught = CatchUpLane(db, destinations, lane, last.at(At(lane)), counted); !caught) {
      return caught.error().With("catch up");
    }
  }
  return counted;
}

}  // namespace packhorse::queue
