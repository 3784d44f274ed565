// What is pending according to what is stored.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "queue/ledger.h"
#include "queue/message_codec.h"
#include "queue/sqlite/reader.h"

namespace packhorse::queue {
namespace {

using Counts = std::map<StoredAccount, std::int64_t>;

struct Span {
  DestinationId destination;
  StreamId stream;  // 0: any
  Lane lane;
  Sequence from;
  std::optional<Sequence> through;
  bool Holds(Lane at, Sequence sequence) const {
    return lane == at && sequence >= from && (!through || sequence <= *through);
  }
};

Result<std::vector<Span>> ReadSpans(Database& db, const char* sql) {
  Result<Statement> rows = db.Prepare(sql);
  if (!rows) {
    return rows.error();
  }
  std::vector<Span> spans;
  Status read = rows->ForEach([&] {
    Span span{rows->Int(0), static_cast<StreamId>(rows->Int(1)), static_cast<Lane>(rows->Int(2)),
              static_cast<Sequence>(rows->Int(3)), std::nullopt};
    if (!rows->IsNull(4)) {
      span.through = static_cast<Sequence>(rows->Int(4));
    }
    spans.push_back(span);
  });
  if (!read) {
    return read.error();
  }
  return spans;
}

// Destinations whose pending ranges hold this message.
void CountMessage(const SegmentReader::Head& head, Lane lane, const std::vector<Span>& ranges,
                  const std::vector<Span>& subscriptions, Counts& counted) {
  for (const Span& range : ranges) {
    if (!range.Holds(lane, head.sequence)) {
      continue;
    }
    for (const Span& subscription : subscriptions) {
      if (subscription.destination == range.destination && subscription.stream == head.stream &&
          subscription.Holds(lane, head.sequence)) {
        ++counted[{head.stream, range.destination, lane}];
        break;
      }
    }
  }
}

// Messages that wait in pending ranges.
Status CountRanges(Reader& reader, const std::vector<Span>& ranges, const std::vector<Span>& subscriptions,
                   Counts& counted) {
  for (const Lane lane : kAllLanes) {
    const auto visit = [&](Sequence first, Sequence, const std::string& plain) -> Result<bool> {
      SegmentReader messages(plain, first);
      while (!messages.AtEnd()) {
        const Result<SegmentReader::Head> head = messages.Next();
        if (!head) {
          return head.error();
        }
        CountMessage(*head, lane, ranges, subscriptions, counted);
      }
      return true;
    };
    if (Status visited = reader.VisitSegments(lane, 0, visit); !visited) {
      return visited;
    }
  }
  return {};
}

// Messages in frozen batches or set aside, each once.
Status CountBatches(Database& db, Counts& counted) {
  Result<Statement> rows = db.Prepare("SELECT destination, lane, members FROM batches");
  if (!rows) {
    return rows.error();
  }
  std::map<StoredAccount, std::set<Sequence>> seen;
  while (true) {
    const Result<bool> more = rows->Step();
    if (!more) {
      return more.error();
    }
    if (!*more) {
      break;
    }
    const Result<std::vector<Member>> members = DecodeMembers(rows->Blob(2));
    if (!members) {
      return members.error();
    }
    for (const Member& member : *members) {
      seen[{member.stream, rows->Int(0), static_cast<Lane>(rows->Int(1))}].insert(member.sequence);
    }
  }
  Result<Statement> suspects = db.Prepare("SELECT destination, lane, stream, sequence FROM suspects");
  if (!suspects) {
    return suspects.error();
  }
  Status read = suspects->ForEach([&] {
    const StoredAccount account{static_cast<StreamId>(suspects->Int(2)), suspects->Int(0),
                                static_cast<Lane>(suspects->Int(1))};
    seen[account].insert(static_cast<Sequence>(suspects->Int(3)));
  });
  if (!read) {
    return read;
  }
  for (const auto& [account, messages] : seen) {
    counted[account] += static_cast<std::int64_t>(messages.size());
  }
  return {};
}

}  // namespace

Result<std::map<StoredAccount, std::int64_t>> Reader::CountStored() {
  const Result<std::vector<Span>> ranges =
      ReadSpans(db_, "SELECT destination, 0, lane, from_sequence, through_sequence FROM pending");
  if (!ranges) {
    return ranges.error();
  }
  const Result<std::vector<Span>> subscriptions =
      ReadSpans(db_, "SELECT destination, stream, lane, from_sequence, through_sequence FROM subscriptions");
  if (!subscriptions) {
    return subscriptions.error();
  }
  Counts counted;
  if (Status ranged = CountRanges(*this, *ranges, *subscriptions, counted); !ranged) {
    return ranged.error();
  }
  if (Status batched = CountBatches(db_, counted); !batched) {
    return batched.error();
  }
  return counted;
}

}  // namespace packhorse::queue
