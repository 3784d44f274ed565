// The full check of P3: pending is counted again from the stored messages and compared with the ledger.

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
  std::optional<std::int64_t> waiting;  // as the range says
  std::int64_t found = 0;
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
    Span span{rows->Int(0),
              static_cast<StreamId>(rows->Int(1)),
              static_cast<Lane>(rows->Int(2)),
              static_cast<Sequence>(rows->Int(3)),
              std::nullopt,
              std::nullopt};
    if (!rows->IsNull(4)) {
      span.through = static_cast<Sequence>(rows->Int(4));
    }
    if (!rows->IsNull(5)) {
      span.waiting = rows->Int(5);
    }
    spans.push_back(span);
  });
  if (!read) {
    return read.error();
  }
  return spans;
}

// Destinations whose pending ranges hold this message.
void CountMessage(const SegmentReader::Head& head, Lane lane, std::vector<Span>& ranges,
                  const std::vector<Span>& subscriptions, Counts& counted) {
  for (Span& range : ranges) {
    if (!range.Holds(lane, head.sequence)) {
      continue;
    }
    for (const Span& subscription : subscriptions) {
      if (subscription.destination == range.destination && subscription.stream == head.stream &&
          subscription.Holds(lane, head.sequence)) {
        ++counted[{head.stream, range.destination, lane}];
        ++range.found;
        break;
      }
    }
  }
}

// Messages that wait in pending ranges.
Status CountRanges(Reader& reader, std::vector<Span>& ranges, const std::vector<Span>& subscriptions, Counts& counted) {
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

// Messages in frozen batches, each once.
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
  for (const auto& [account, messages] : seen) {
    counted[account] += static_cast<std::int64_t>(messages.size());
  }
  return {};
}

Result<Counts> CountAll(Reader& reader, Database& db, std::vector<Span>& ranges) {
  Result<std::vector<Span>> pending =
      ReadSpans(db, "SELECT destination, 0, lane, from_sequence, through_sequence, waiting FROM pending");
  if (!pending) {
    return pending.error();
  }
  ranges = *std::move(pending);
  const Result<std::vector<Span>> subscriptions =
      ReadSpans(db, "SELECT destination, stream, lane, from_sequence, through_sequence, NULL FROM subscriptions");
  if (!subscriptions) {
    return subscriptions.error();
  }
  Counts counted;
  if (Status ranged = CountRanges(reader, ranges, *subscriptions, counted); !ranged) {
    return ranged.error();
  }
  if (Status batched = CountBatches(db, counted); !batched) {
    return batched.error();
  }
  return counted;
}

void CompareRanges(const std::vector<Span>& ranges, std::vector<std::string>& gaps) {
  for (const Span& range : ranges) {
    if (range.waiting && *range.waiting != range.found) {
      gaps.push_back("destination " + std::to_string(range.destination) + ", lane " + Letter(range.lane) + ", from " +
                     std::to_string(range.from) + ": " + std::to_string(*range.waiting) + " said to wait, but " +
                     std::to_string(range.found) + " stored");
    }
  }
}

Status CompareLedger(Database& db, Counts counted, std::vector<std::string>& gaps) {
  Result<Statement> rows = db.Prepare(
      "SELECT ledger.stream, ledger.destination, coalesce(streams.name, ''), coalesce(destinations.name, ''),"
      " sum(CASE WHEN outcome = 0 THEN messages ELSE 0 END), sum(CASE WHEN outcome = 1 THEN messages ELSE 0 END),"
      " sum(CASE WHEN outcome >= 10 THEN messages ELSE 0 END)"
      " FROM ledger LEFT JOIN streams ON streams.id = ledger.stream LEFT JOIN destinations ON destinations.id ="
      " ledger.destination WHERE outcome <> 2 GROUP BY ledger.stream, ledger.destination");
  if (!rows) {
    return rows.error();
  }
  Status read = rows->ForEach([&] {
    const std::string who = "stream " + rows->Text(2) + ", destination " + rows->Text(3) + ": ";
    const std::int64_t received = rows->Int(4);
    const std::int64_t pending = rows->Int(5);
    const std::int64_t ended = rows->Int(6);
    if (received != pending + ended) {
      gaps.push_back(who + "received " + std::to_string(received) + ", but " + std::to_string(ended) + " ended and " +
                     std::to_string(pending) + " pending");
    }
    std::int64_t stored = 0;
    for (const Lane lane : kAllLanes) {
      const auto account = counted.extract(StoredAccount{static_cast<StreamId>(rows->Int(0)), rows->Int(1), lane});
      stored += account ? account.mapped() : 0;
    }
    if (stored != pending) {
      gaps.push_back(who + std::to_string(pending) + " pending in the ledger, but " + std::to_string(stored) +
                     " stored");
    }
  });
  for (const auto& [account, stored] : counted) {
    gaps.push_back("stream " + std::to_string(account.stream) + ", destination " + std::to_string(account.destination) +
                   ": " + std::to_string(stored) + " stored, but none in the ledger");
  }
  return read;
}

}  // namespace

Result<std::map<StoredAccount, std::int64_t>> Reader::CountStored() {
  std::vector<Span> ranges;
  return CountAll(*this, db_, ranges);
}

Result<std::vector<std::string>> Reader::Verify() {
  // One read transaction: everything below sees the same commit.
  if (Status begun = db_.Execute("BEGIN"); !begun) {
    return begun.error();
  }
  std::vector<std::string> gaps;
  std::vector<Span> ranges;
  const Result<Counts> counted = CountAll(*this, db_, ranges);
  CompareRanges(ranges, gaps);
  Status checked = counted ? CompareLedger(db_, *counted, gaps) : Status(counted.error());
  Status ended = db_.Execute("COMMIT");
  if (!checked) {
    return checked.error().With("verify");
  }
  if (!ended) {
    return ended.error();
  }
  return gaps;
}

}  // namespace packhorse::queue
