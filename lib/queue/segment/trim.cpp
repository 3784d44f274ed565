#include "queue/segment/trim.h"

#include <algorithm>

#include "queue/segment/segment_key.h"

namespace packhorse::queue {
namespace {

// Segments that one checkpoint removes at most, so that its time is bounded.
constexpr std::int64_t kTrimRows = 5'000;
constexpr const char* kRemove = "DELETE FROM segments WHERE id = ?";

// What no span covers of a lane, up to the last number given: segments that lie wholly within are of no use.
Trimmer::Spans Free(Lane lane, const TrimWork& work) {
  Trimmer::Spans spans;
  for (const NeededSpan& span : work.needed) {
    if (span.lane == lane) {
      spans.emplace_back(span.from, span.through);
    }
  }
  std::sort(spans.begin(), spans.end());
  const Sequence last = work.last[At(lane)];
  Trimmer::Spans free;
  Sequence next = 0;
  for (const auto& [from, through] : spans) {
    if (from > next) {
      free.emplace_back(next, from - 1);
    }
    next = std::max(next, through + 1);
  }
  if (next <= last) {
    free.emplace_back(next, last);
  }
  return free;
}

bool Within(const Trimmer::Spans& spans, Sequence first, Sequence last) {
  return std::any_of(spans.begin(), spans.end(),
                     [&](const auto& span) { return span.first <= first && last <= span.second; });
}

// Joins it with those that it touches.
void Add(Trimmer::Spans& spans, std::pair<Sequence, Sequence> span) {
  std::erase_if(spans, [&](const auto& other) {
    const bool touches = other.first <= span.second + 1 && span.first <= other.second + 1;
    if (touches) {
      span = {std::min(span.first, other.first), std::max(span.second, other.second)};
    }
    return touches;
  });
  spans.insert(std::upper_bound(spans.begin(), spans.end(), span), span);
}

}  // namespace

Trimmer::Spans Minus(const Trimmer::Spans& all, const Trimmer::Spans& without) {
  Trimmer::Spans rest;
  for (auto [from, through] : all) {
    for (const auto& [first, last] : without) {
      if (last < from || first > through) {
        continue;
      }
      if (first > from) {
        rest.emplace_back(from, first - 1);
      }
      from = last + 1;
    }
    if (from <= through) {
      rest.emplace_back(from, through);
    }
  }
  return rest;
}

Status Trimmer::Retain(Database& db, const TrimWork& work, Lane lane, Sequence first, std::chrono::milliseconds keep) {
  Result<Statement> retain = db.Prepare("INSERT INTO retained(id, keep_ms, boot, until) VALUES (?, ?, ?, ?)");
  RETURN_IF_ERROR(retain);
  retains_ = true;
  const auto until = std::chrono::ceil<std::chrono::microseconds>(work.boot.ran + keep);
  return retain->Bind(SegmentKey(lane, first), keep.count(), work.boot.boot, until.count()).Run();
}

Status Trimmer::Trim(Database& db, const TrimWork& work, TrimResult& result) {
  rows_ = kTrimRows;
  for (const Lane lane : kAllLanes) {
    RETURN_IF_ERROR(LookThrough(db, lane, Free(lane, work), result));
  }
  return retains_ ? TrimRetained(db, work, result) : Status();
}

Status Trimmer::TrimRetained(Database& db, const TrimWork& work, TrimResult& result) {
  for (const auto trim : {&Trimmer::EndRetention, &Trimmer::ReleaseOldest}) {
    RETURN_IF_ERROR((this->*trim)(db, work, result));
  }
  retains_ = false;
  for (const Lane lane : kAllLanes) {
    const Result<Sequence> from = RetainedFrom(db, lane);
    RETURN_IF_ERROR(from);
    retains_ = retains_ || *from > 0;
    result.retained_from[At(lane)] = *from;
    result.retained[At(lane)] = lanes_[At(lane)].retained;
  }
  return {};
}

Trimmer::Segment Trimmer::FromRow(const Statement& row) {
  Segment segment;
  segment.key = row.Int(0);
  segment.last = static_cast<Sequence>(row.Int(1));
  segment.held = SegmentTotals{1, row.Int(2), row.Int(3)};
  segment.bytes = row.Int(4);
  segment.retained = row.Int(5) != 0;
  return segment;
}

Result<std::vector<Trimmer::Segment>> Trimmer::Read(Statement& rows) {
  std::vector<Segment> segments;
  Status read = rows.ForEach([&] { segments.push_back(FromRow(rows)); });
  rows.Reset();
  return read ? Result<std::vector<Segment>>(std::move(segments)) : read.error();
}

Status Trimmer::EndRetention(Database& db, const TrimWork& work, TrimResult& result) {
  Result<Statement> next = db.Prepare("SELECT min(boot) FROM retained WHERE boot > ?");
  RETURN_IF_ERROR(next);
  for (std::int64_t after = -1;;) {
    const Result<bool> row = next->Bind(after).Step();
    RETURN_IF_ERROR(row);
    const std::optional<std::int64_t> boot = next->IsNull(0) ? std::nullopt : std::optional(next->Int(0));
    next->Reset();
    if (!boot) {
      return {};
    }
    RETURN_IF_ERROR(EndRetentionOf(db, *boot, work.ages, result));
    after = *boot;
  }
}

// Those that were written down during one boot: by its own clock, or else by the time since the next one began.
Status Trimmer::EndRetentionOf(Database& db, std::int64_t boot, const Ages& ages, TrimResult& result) {
  const std::optional<std::chrono::microseconds> since_boot = ages.Since(boot, std::chrono::nanoseconds(0));
  Result<Statement> over = db.Prepare(
      std::string("SELECT r.id, s.last_sequence, s.messages, s.payload_bytes, length(s.blob), 1 FROM retained AS r"
                  " LEFT JOIN segments AS s ON s.id = r.id WHERE r.boot = ?1 AND ") +
      (since_boot ? "r.until <= ?2 ORDER BY r.until LIMIT ?3" : "1000 * r.keep_ms <= ?2 LIMIT ?3"));
  RETURN_IF_ERROR(over);
  const std::int64_t past = since_boot ? since_boot->count() : ages.SinceAfter(boot).count();
  const Result<std::vector<Segment>> segments = Read(over->Bind(boot, past, std::max<std::int64_t>(rows_, 0)));
  RETURN_IF_ERROR(segments);
  rows_ -= static_cast<std::int64_t>(segments->size());
  return segments->empty() ? Status() : Release(db, *segments, result);
}

// Those go first whose time would have been over first.
Status Trimmer::ReleaseOldest(Database& db, const TrimWork& work, TrimResult& result) {
  const bool any =
      std::any_of(lanes_.begin(), lanes_.end(), [](const PerLane& lane) { return lane.retained.segments > 0; });
  if (work.release_bytes == 0 || !any) {
    return {};
  }
  Result<Statement> rows = db.Prepare(
      "SELECT s.id, s.last_sequence, s.messages, s.payload_bytes, length(s.blob), 1 FROM retained AS r"
      " JOIN segments AS s ON s.id = r.id ORDER BY r.boot, r.until");
  RETURN_IF_ERROR(rows);
  std::vector<Segment> segments;
  std::uint64_t freed = 0;
  while (freed < work.release_bytes && segments.size() < static_cast<std::size_t>(kTrimRows)) {
    const Result<bool> more = rows->Step();
    RETURN_IF_ERROR(more);
    if (!*more) {
      break;
    }
    const Segment segment = FromRow(*rows);
    if (Within(lanes_[At(SegmentLane(segment.key))].seen, SegmentFirst(segment.key), segment.last)) {
      freed += static_cast<std::uint64_t>(segment.bytes);
      result.released += segment.held.messages;
      segments.push_back(segment);
    }
  }
  rows->Reset();
  return Release(db, segments, result);
}

Status Trimmer::Release(Database& db, const std::vector<Segment>& segments, TrimResult& result) {
  Result<Statement> end = db.Prepare("DELETE FROM retained WHERE id = ?");
  Result<Statement> remove = db.Prepare(kRemove);
  if (!end || !remove) {
    return end ? remove.error() : end.error();
  }
  for (const Segment& segment : segments) {
    RETURN_IF_ERROR(end->Bind(segment.key).Run());
    PerLane& lane = lanes_[At(SegmentLane(segment.key))];
    if (segment.last == 0 || !Within(lane.seen, SegmentFirst(segment.key), segment.last)) {
      continue;  // gone already, still needed, or to be looked at
    }
    --lane.retained.segments;
    lane.retained.messages -= segment.held.messages;
    lane.retained.payload_bytes -= segment.bytes;
    RETURN_IF_ERROR(Remove(*remove, segment, result));
  }
  return {};
}

Status Trimmer::LookThrough(Database& db, Lane lane, const Spans& free, TrimResult& result) {
  PerLane& state = lanes_[At(lane)];
  if (!Minus(state.seen, free).empty()) {
    state = PerLane();  // something is needed again: it is looked at anew
  }
  std::int64_t looked_through = -1;
  for (const auto& stretch : Minus(free, state.seen)) {
    const Result<bool> whole = LookAt(db, lane, free, stretch, looked_through, result);
    if (!whole || !*whole) {
      return whole ? Status() : Status(whole.error());
    }
  }
  state.seen = free;
  return {};
}

Result<bool> Trimmer::LookAt(Database& db, Lane lane, const Spans& free, const std::pair<Sequence, Sequence>& stretch,
                             std::int64_t& looked_through, TrimResult& result) {
  PerLane& state = lanes_[At(lane)];
  Result<Statement> rows = db.Prepare(
      "SELECT id, last_sequence, messages, payload_bytes, length(blob),"
      " EXISTS (SELECT 1 FROM retained WHERE retained.id = segments.id) FROM segments WHERE id BETWEEN"
      " coalesce((SELECT max(id) FROM segments WHERE id BETWEEN ?1 AND ?2), ?2) AND ?3 AND last_sequence >= ?4"
      " ORDER BY id LIMIT ?5");
  Result<Statement> remove = db.Prepare(kRemove);
  if (!rows || !remove) {
    return rows ? remove.error() : rows.error();
  }
  const std::int64_t most = std::max<std::int64_t>(rows_, 0);
  const Result<std::vector<Segment>> segments = Read(rows->Bind(SegmentKey(lane, 0), SegmentKey(lane, stretch.first),
                                                                SegmentKey(lane, stretch.second), stretch.first, most));
  RETURN_IF_ERROR(segments);
  rows_ -= static_cast<std::int64_t>(segments->size());
  for (const Segment& segment : *segments) {
    // One may reach into several stretches.
    if (segment.key <= looked_through || !Within(free, SegmentFirst(segment.key), segment.last)) {
      continue;
    }
    looked_through = segment.key;
    if (segment.retained) {
      ++state.retained.segments;
      state.retained.messages += segment.held.messages;
      state.retained.payload_bytes += segment.bytes;
    } else if (Status removed = Remove(*remove, segment, result); !removed) {
      return removed.error();
    }
  }
  const bool whole = static_cast<std::int64_t>(segments->size()) < most;
  if (!whole && !segments->empty()) {
    Add(state.seen, {stretch.first, std::min(segments->back().last, stretch.second)});
  } else if (whole) {
    Add(state.seen, stretch);
  }
  return whole;
}

Status Trimmer::Remove(Statement& remove, const Segment& segment, TrimResult& result) {
  SegmentTotals& held = result.held[At(SegmentLane(segment.key))];
  --held.segments;
  held.messages -= segment.held.messages;
  held.payload_bytes -= segment.held.payload_bytes;
  return remove.Bind(segment.key).Run();
}

Result<Sequence> RetainedFrom(Database& db, Lane lane) {
  Result<Statement> first = db.Prepare("SELECT min(id) FROM retained WHERE id BETWEEN ? AND ?");
  RETURN_IF_ERROR(first);
  const Result<bool> row = first->Bind(SegmentKey(lane, 0), SegmentKey(lane, kMaxSequence)).Step();
  RETURN_IF_ERROR(row);
  return first->IsNull(0) ? 0 : SegmentFirst(first->Int(0));
}

}  // namespace packhorse::queue
