#include "queue/inspect/check.h"

#include <algorithm>
#include <utility>

#include "queue/ledger/ledger.h"
#include "queue/segment/message_codec.h"
#include "queue/tables/all_tables.h"
#include "queue/tables/rows.h"
#include "queue/tables/schema.h"

namespace packhorse::queue {
namespace {

std::string Text(std::uint64_t number) { return std::to_string(number); }
std::string Text(std::int64_t number) { return std::to_string(number); }

std::optional<Lane> LaneFrom(std::int64_t number) {
  return number >= 0 && number < static_cast<std::int64_t>(kLanes) ? std::optional(static_cast<Lane>(number))
                                                                   : std::nullopt;
}

std::string InLane(Lane lane) { return "lane " + std::string(Name(lane)); }

// "12 segments, 3 messages, 40 bytes" as far as they differ.
std::string Difference(const char* what, std::int64_t said, std::int64_t counted) {
  return said == counted ? "" : Text(counted) + " " + what + " are stored, but the counter says " + Text(said);
}

}  // namespace

Result<std::unique_ptr<Check>> Check::Begin(const std::string& path) {
  Result<Database> db = Database::Open(path, Database::Mode::kReadOnly);
  RETURN_IF_ERROR(db);
  RETURN_IF_ERROR(CheckCurrent(*db));
  std::unique_ptr<Check> check(new Check(*std::move(db)));
  RETURN_IF_ERROR(check->Prepare());
  return check;
}

Status Check::Prepare() {
  RETURN_IF_ERROR(db_.Execute("PRAGMA cache_size = -1000; PRAGMA query_only = 1"));
  // The others are small, or bounded: looked at page by page. The pages of `segments` are read with its rows.
  for (const QueueTable& table : AllTables()) {
    if (std::string_view(table.name) != "segments") {
      phases_.push_back({std::string("PRAGMA quick_check(") + table.name + ")", &Check::OnPage});
    }
  }
  // Numbers are told apart by their sign: streams are shown as negative ones.
  phases_.push_back({"SELECT -id, name FROM streams UNION ALL SELECT id, name FROM destinations", &Check::OnName});
  phases_.push_back({"SELECT lane, next_sequence, segments, messages, payload_bytes FROM lanes", &Check::OnLane});
  phases_.push_back({"SELECT 0, 'the earlier id ' || queue_id, urgent, normal, bulk FROM earlier_ids ORDER BY id",
                     &Check::OnLastNumbers});
  phases_.push_back(
      {"SELECT 1, 'the boot before number ' || id, from_urgent - 1, from_normal - 1, from_bulk - 1 FROM boots"
       " ORDER BY id",
       &Check::OnLastNumbers});
  phases_.push_back({"SELECT 0, destination, stream, lane, from_sequence, through_sequence, NULL FROM subscriptions",
                     &Check::OnSubscription});
  phases_.push_back(
      {"SELECT id, destination, 0, lane, from_sequence, through_sequence, waiting FROM pending"
       " ORDER BY destination, lane, from_sequence",
       &Check::OnRange});
  phases_.push_back(
      {"SELECT id, destination, lane, first_sequence, last_sequence, messages FROM given_up", &Check::OnGivenUp});
  phases_.push_back({"SELECT " + std::string(kBatchColumns) + " FROM batches", &Check::OnBatch});
  phases_.push_back(
      {"SELECT destination, lane, sequence, record, stream, retrying, message FROM suspects", &Check::OnSuspect});
  phases_.push_back({"SELECT destination, lane, sequence, settled FROM partials", &Check::OnPartial});
  phases_.push_back(
      {"SELECT id, last_sequence, messages, payload_bytes, blob FROM segments ORDER BY id", &Check::OnSegment});
  phases_.push_back({"SELECT lane, sequence, message, 1 FROM dead", &Check::OnKept});
  phases_.push_back({"SELECT lane, sequence, message, 0 FROM quarantine", &Check::OnKept});
  phases_.push_back(
      {"SELECT stream, destination, sum(CASE WHEN outcome = 0 THEN messages ELSE 0 END),"
       " sum(CASE WHEN outcome = 1 THEN messages ELSE 0 END), sum(CASE WHEN outcome >= 10 THEN messages ELSE 0 END)"
       " FROM ledger WHERE outcome <> 2 GROUP BY stream, destination",
       &Check::OnAccount});
  Result<Transaction> transaction = Transaction::Begin(db_, Transaction::Kind::kRead);
  RETURN_IF_ERROR(transaction);
  transaction_.emplace(*std::move(transaction));  // everything below sees the same commit
  return {};
}

bool Check::Step(std::uint64_t bytes) {
  std::uint64_t done = 0;
  while (!ended_ && done < bytes) {
    if (phase_ == 0 && !NextPhase()) {
      break;
    }
    const Result<bool> more = rows_.Step();
    if (!more) {
      NoteUnreadable(more.error());
    } else if (!*more) {
      NextPhase();
    } else if (Status looked = (this->*phases_[phase_ - 1].row)(rows_, done); !looked) {
      NoteUnreadable(looked.error());
    }
  }
  return ended_;
}

bool Check::NextPhase() {
  if (phase_ == phases_.size()) {
    CompareCounts();
    Finish();
    return false;
  }
  Result<Statement> rows = db_.Prepare(phases_[phase_].sql);
  ++phase_;
  if (!rows) {
    NoteUnreadable(rows.error());
    return false;
  }
  rows_ = *std::move(rows);
  return true;
}

void Check::Finish() {
  ended_ = true;
  rows_ = Statement();
  transaction_.reset();
}

void Check::Note(std::string problem) {
  ++report_.problem_count;
  if (report_.problems.size() < CheckReport::kMaxProblems) {
    report_.problems.push_back(std::move(problem));
  }
}

void Check::NoteDamage(std::string problem) {
  if (report_.damage.empty()) {
    report_.damage = problem;
  }
  Note(std::move(problem));
}

void Check::NoteUnreadable(const Error& error) {
  const std::string problem = "the database cannot be read any further: " + error.message;
  error.code == ErrorCode::kCorrupt ? NoteDamage(problem) : Note(problem);
  Finish();
}

Status Check::OnPage(const Statement& row, std::uint64_t& bytes) {
  bytes += 4'096;
  if (const std::string found = row.Text(0); found != "ok") {
    NoteDamage("SQLite: " + found);
  }
  return {};
}

Status Check::OnName(const Statement& row, std::uint64_t&) {
  if (const std::int64_t id = row.Int(0); id < 0) {
    streams_[static_cast<StreamId>(-id)] = row.Text(1);
  } else {
    destinations_[id] = row.Text(1);
  }
  return {};
}

std::string Check::DestinationName(DestinationId id) const {
  const auto found = destinations_.find(id);
  return found == destinations_.end() ? "number " + Text(id) : found->second;
}

Status Check::OnLane(const Statement& row, std::uint64_t&) {
  const std::optional<Lane> lane = LaneFrom(row.Int(0));
  if (!lane) {
    Note("there is no lane " + Text(row.Int(0)));
    return {};
  }
  LaneState& state = lanes_.at(At(*lane));
  state.next = static_cast<Sequence>(row.Int(1));
  state.said = SegmentTotals{row.Int(2), row.Int(3), row.Int(4)};
  if (row.Int(1) < 1) {
    Note(InLane(*lane) + " goes on with number " + Text(row.Int(1)));
  }
  return {};
}

// Ids and boots each divide the numbers of a lane: where one ends the next begins.
Status Check::OnLastNumbers(const Statement& row, std::uint64_t&) {
  std::array<Sequence, kLanes>& before = last_numbers_.at(static_cast<std::size_t>(row.Int(0)));
  for (const Lane lane : kAllLanes) {
    const auto last = static_cast<Sequence>(row.Int(2 + static_cast<int>(lane)));
    if (last < before[At(lane)] || last >= lanes_[At(lane)].next) {
      Note(row.Text(1) + " ends with number " + Text(last) + " of " + InLane(lane) + ", but the one before it with " +
           Text(before[At(lane)]) + ", and " + Text(lanes_[At(lane)].next - 1) + " is the last that was given");
    }
    before[At(lane)] = last;
  }
  return {};
}

Status Check::OnSubscription(const Statement& row, std::uint64_t&) {
  Span span{0,
            row.Int(1),
            static_cast<StreamId>(row.Int(2)),
            static_cast<Lane>(row.Int(3)),
            static_cast<Sequence>(row.Int(4)),
            std::nullopt,
            std::nullopt,
            0};
  if (!row.IsNull(5)) {
    span.through = static_cast<Sequence>(row.Int(5));
  }
  if (destinations_.count(span.destination) == 0 || streams_.count(span.stream) == 0 || !LaneFrom(row.Int(3))) {
    Note("a subscription names a destination, stream or lane that does not exist");
  }
  subscriptions_.push_back(span);
  return {};
}

Status Check::OnRange(const Statement& row, std::uint64_t&) {
  Span range{row.Int(0),   row.Int(1),   0, static_cast<Lane>(row.Int(3)), static_cast<Sequence>(row.Int(4)),
             std::nullopt, std::nullopt, 0};
  if (!row.IsNull(5)) {
    range.through = static_cast<Sequence>(row.Int(5));
  }
  if (!row.IsNull(6)) {
    range.waiting = static_cast<std::uint64_t>(row.Int(6));
  }
  const std::string who = "destination " + DestinationName(range.destination) + ", ";
  if (destinations_.count(range.destination) == 0 || !LaneFrom(row.Int(3))) {
    Note(who + "lane " + Text(row.Int(3)) + ": pending, but not known");
    return {};
  }
  if (!ranges_.empty() && ranges_.back().destination == range.destination && ranges_.back().lane == range.lane &&
      (!ranges_.back().through || *ranges_.back().through >= range.from)) {
    Note(who + InLane(range.lane) + ": the pending ranges from " + Text(ranges_.back().from) + " and from " +
         Text(range.from) + " overlap");
  }
  ranges_.push_back(range);
  return {};
}

Status Check::OnBatch(const Statement& row, std::uint64_t& bytes) {
  ++report_.batches;
  const Result<PreparedBatch> batch = BatchFromRow(row);
  if (!batch) {
    NoteDamage("batch " + Text(row.Int(0)) + " does not decode: " + batch.error().message);
    return {};
  }
  const DestinationId destination = row.Int(15);
  bytes += batch->body.size();
  std::uint32_t records = 0;
  for (const Member& member : batch->members) {
    records += member.records;
    CheckMember(*batch, destination, member);
  }
  if (records != batch->records || destinations_.count(destination) == 0) {
    Note("batch " + Text(batch->id) + " says " + Text(std::uint64_t{batch->records}) + " records for destination " +
         DestinationName(destination) + ", its messages have " + Text(std::uint64_t{records}));
  }
  return {};
}

void Check::CheckMember(const PreparedBatch& batch, DestinationId destination, const Member& member) {
  const std::string who = "message " + Text(member.sequence) + " of " + InLane(batch.lane) + " in batch " +
                          Text(batch.id) + " for " + DestinationName(destination);
  const PartialKey key{destination, batch.lane, member.sequence};
  if (members_.insert(key).second) {
    ++counted_[{member.stream, destination}];
  }
  for (std::uint32_t record = member.first_record; record < member.first_record + member.records; ++record) {
    if (!records_.emplace(key, record).second) {
      Note(who + ": its record " + Text(std::uint64_t{record}) + " is in another batch too");
    }
  }
  if (member.sequence >= lanes_.at(At(batch.lane)).next) {
    Note(who + ": this number was never given");
  }
  for (const Span& range : ranges_) {
    if (range.destination == destination && range.Holds(batch.lane, member.sequence)) {
      Note(who + " waits in a pending range too");
    }
  }
  if (!batch.suspect) {
    unseen_[{batch.lane, member.sequence}] = batch.id;
  }
}

Status Check::OnGivenUp(const Statement& row, std::uint64_t&) {
  const std::optional<Lane> lane = LaneFrom(row.Int(2));
  const auto first = static_cast<Sequence>(row.Int(3));
  const auto last = static_cast<Sequence>(row.Int(4));
  const auto messages = static_cast<std::uint64_t>(row.Int(5));
  if (!lane || destinations_.count(row.Int(1)) == 0 || first == 0 || last < first || messages > last - first + 1 ||
      last >= lanes_.at(At(*lane)).next) {
    Note("row " + Text(row.Int(0)) + " of what was given up says " + Text(messages) + " messages from number " +
         Text(first) + " to " + Text(last) + ", which cannot be");
  }
  return {};
}

Status Check::OnPartial(const Statement& row, std::uint64_t&) {
  const PartialKey key{row.Int(0), static_cast<Lane>(row.Int(1)), static_cast<Sequence>(row.Int(2))};
  if (members_.count(key) == 0) {
    Note("message " + Text(key.sequence) + " of " + InLane(key.lane) + " has settled " + Text(row.Int(3)) +
         " of its records for " + DestinationName(key.destination) +
         ", but the others are in no batch and not set aside");
  }
  return {};
}

Status Check::OnSegment(const Statement& row, std::uint64_t& bytes) {
  ++report_.segments;
  const std::int64_t key = row.Int(0);
  const std::optional<Lane> lane = LaneFrom(key >> kSegmentLaneShift);
  const Sequence first = SegmentFirst(key);
  if (!lane) {
    Note("segment " + Text(key) + " is of no lane");
    return {};
  }
  const std::string who = "segment " + Text(first) + " of " + InLane(*lane);
  LaneState& state = lanes_.at(At(*lane));
  if (first <= state.last_stored) {
    Note(who + " begins before the one before it ends");
  }
  SegmentTotals held{1, 0, 0};
  Sequence last = 0;
  if (Status read = ReadMessages(*lane, first, row.Blob(4), held, last); !read) {
    NoteDamage(who + " does not decode: " + read.error().message);
  } else if (held.messages != row.Int(2) || held.payload_bytes != row.Int(3) ||
             last != static_cast<Sequence>(row.Int(1))) {
    Note(who + " says " + Text(row.Int(2)) + " messages up to " + Text(row.Int(1)) + " with " + Text(row.Int(3)) +
         " bytes, but holds " + Text(held.messages) + " up to " + Text(last) + " with " + Text(held.payload_bytes));
  }
  state.last_stored = std::max({state.last_stored, last, static_cast<Sequence>(row.Int(1))});
  if (state.last_stored >= state.next) {
    Note(who + " ends behind the last number that was given, " + Text(state.next - 1));
  }
  state.counted.segments += 1;
  state.counted.messages += row.Int(2);
  state.counted.payload_bytes += row.Int(3);
  report_.messages += static_cast<std::uint64_t>(held.messages);
  report_.payload_bytes += static_cast<std::uint64_t>(held.payload_bytes);
  bytes += 4'096 + static_cast<std::uint64_t>(held.payload_bytes);
  return {};
}

Status Check::ReadMessages(Lane lane, Sequence first, std::string_view blob, SegmentTotals& held, Sequence& last) {
  const Result<std::string> plain = OpenSegment(blob);
  RETURN_IF_ERROR(plain);
  SegmentReader messages(*plain, first);
  while (!messages.AtEnd()) {
    const Result<SegmentReader::Head> head = messages.Next();
    RETURN_IF_ERROR(head);
    if (head->sequence <= last) {
      return Error{ErrorCode::kCorrupt, "its numbers do not rise"};
    }
    if (streams_.count(head->stream) == 0) {
      return Error{ErrorCode::kCorrupt, "message " + Text(head->sequence) + " is of an unknown stream"};
    }
    last = head->sequence;
    ++held.messages;
    held.payload_bytes += static_cast<std::int64_t>(messages.payload().size());
    CountMessage(lane, head->sequence, head->stream);
  }
  return {};
}

// Destinations whose pending ranges hold this message.
void Check::CountMessage(Lane lane, Sequence sequence, StreamId stream) {
  unseen_.erase({lane, sequence});
  for (Span& range : ranges_) {
    if (range.Holds(lane, sequence) &&
        std::any_of(subscriptions_.begin(), subscriptions_.end(), [&](const Span& subscription) {
          return subscription.destination == range.destination && subscription.stream == stream &&
                 subscription.Holds(lane, sequence);
        })) {
      ++range.counted;
      ++counted_[{stream, range.destination}];
      if (suspects_.count({range.destination, lane, sequence}) > 0) {
        Note("message " + Text(sequence) + " of " + InLane(lane) + ", set aside for " +
             DestinationName(range.destination) + ", waits in a pending range too");
      }
    }
  }
}

Status Check::OnKept(const Statement& row, std::uint64_t& bytes) {
  const bool dead = row.Int(3) != 0;
  ++(dead ? report_.dead_letters : report_.quarantined);
  unseen_.erase({static_cast<Lane>(row.Int(0)), static_cast<Sequence>(row.Int(1))});  // it is on its way again
  const Result<StoredMessage> message = DecodeMessage(row.Blob(2), static_cast<Sequence>(row.Int(1)));
  if (!message) {
    NoteDamage(std::string(dead ? "the dead letter" : "the quarantined message") + " of number " + Text(row.Int(1)) +
               " does not decode: " + message.error().message);
  } else {
    bytes += message->message.payload.size();
  }
  return {};
}

Status Check::OnAccount(const Statement& row, std::uint64_t&) {
  const Account account{static_cast<StreamId>(row.Int(0)), row.Int(1)};
  const auto stream = streams_.find(account.first);
  const std::string who = "stream " + (stream == streams_.end() ? Text(row.Int(0)) : stream->second) +
                          ", destination " + DestinationName(account.second) + ": ";
  const std::int64_t received = row.Int(2);
  const std::int64_t pending = row.Int(3);
  const std::int64_t ended = row.Int(4);
  if (received != pending + ended) {
    Note(who + "received " + Text(received) + ", but " + Text(ended) + " ended and " + Text(pending) + " pending");
  }
  const auto found = counted_.find(account);
  const std::int64_t stored = found == counted_.end() ? 0 : found->second;
  if (stored != pending) {
    Note(who + Text(pending) + " pending in the ledger, but " + Text(stored) + " stored");
  }
  if (found != counted_.end()) {
    counted_.erase(found);
  }
  return {};
}

// What is known only once every row has been seen.
void Check::CompareCounts() {
  for (const Span& range : ranges_) {
    if (range.waiting && *range.waiting != range.counted) {
      Note("destination " + DestinationName(range.destination) + ", " + InLane(range.lane) +
           ": the pending range from " + Text(range.from) + " says that " + Text(*range.waiting) +
           " messages wait, but " + Text(range.counted) + " are stored");
    }
  }
  for (const Lane lane : kAllLanes) {
    const LaneState& state = lanes_.at(At(lane));
    for (const std::string& difference :
         {Difference("segments", state.said.segments, state.counted.segments),
          Difference("messages", state.said.messages, state.counted.messages),
          Difference("bytes of payload", state.said.payload_bytes, state.counted.payload_bytes)}) {
      if (!difference.empty()) {
        Note(InLane(lane) + ": " + difference);
      }
    }
  }
  for (const auto& [message, batch] : unseen_) {
    Note("message " + Text(message.second) + " of " + InLane(message.first) + " in batch " + Text(batch) +
         " is not stored");
  }
  for (const auto& [account, count] : counted_) {
    Note("destination " + DestinationName(account.second) + ": " + Text(count) +
         " messages are pending that the ledger does not know");
  }
}

Result<CheckReport> CheckAll(const std::string& path) {
  Result<std::unique_ptr<Check>> check = Check::Begin(path);
  if (!check) {
    return check.error().With("verify");
  }
  while (!(*check)->Step(1ULL << 20U)) {
  }
  return (*check)->report();
}

}  // namespace packhorse::queue
