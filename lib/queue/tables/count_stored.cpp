// What is pending according to what is stored.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "queue/ledger/ledger.h"
#include "queue/segment/message_codec.h"
#include "queue/tables/reader.h"

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
  RETURN_IF_ERROR(rows);
  std::vector<Span> spans;
  Status read = rows->ForEach([&] {
    Span span{rows->Int(0), static_cast<StreamId>(rows->Int(1)), static_cast<Lane>(rows->Int(2)),
              static_cast<Sequence>(rows->Int(3)), std::nullopt};
    if (!rows->IsNull(4)) {
      span.through = static_cast<Sequence>(rows->Int(4));
    }
    spans.push_back(span);
  });
  RETURN_IF_ERROR(read);
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
        RETURN_IF_ERROR(head);
        CountMessage(*head, lane, ranges, subscriptions, counted);
      }
      return true;
    };
    RETURN_IF_ERROR(reader.VisitSegments(lane, 0, visit));
  }
  return {};
}

// Messages in prepared batches or set aside, each once.
Status CountBatches(Database& db, Counts& counted) {
  Result<Statement> rows = db.Prepare("SELECT destination, lane, members FROM batches");
  RETURN_IF_ERROR(rows);
  std::map<StoredAccount, std::set<Sequence>> seen;
  while (true) {
    const Result<bool> more = rows->Step();
    RETURN_IF_ERROR(more);
    if (!*more) {
      break;
    }
    const Result<std::vector<Member>> members = DecodeMembers(rows->Blob(2));
    RETURN_IF_ERROR(members);
    for (const Member& member : *members) {
      seen[{member.stream, rows->Int(0), static_cast<Lane>(rows->Int(1))}].insert(member.sequence);
    }
  }
  Result<Statement> suspects = db.Prepare("SELECT destination, lane, stream, sequence FROM suspects");
  RETURN_IF_ERROR(suspects);
  Status read = suspects->ForEach([&] {
    const StoredAccount account{static_cast<StreamId>(suspects->Int(2)), suspects->Int(0),
                                static_cast<Lane>(suspects->Int(1))};
    seen[account].insert(static_cast<Sequence>(suspects->Int(3)));
  });
  RETURN_IF_ERROR(read);
  for (const auto& [account, messages] : seen) {
    counted[account] += static_cast<std::int64_t>(messages.size());
  }
  return {};
}

}  // namespace

Result<std::map<StoredAccount, std::int64_t>> Reader::CountStored() {
  const Result<std::vector<Span>> ranges =
      ReadSpans(db_, "SELECT destination, 0, lane, from_sequence, through_sequence FROM pending");
  RETURN_IF_ERROR(ranges);
  const Result<std::vector<Span>> subscriptions =
      ReadSpans(db_, "SELECT destination, stream, lane, from_sequence, through_sequence FROM subscriptions");
  RETURN_IF_ERROR(subscriptions);
  Counts counted;
  RETURN_IF_ERROR(CountRanges(*this, *ranges, *subscriptions, counted));
  RETURN_IF_ERROR(CountBatches(db_, counted));
  return counted;
}

}  // namespace packhorse::queue
