#include "player.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <optional>
#include <thread>

#include "queue/clock/expiry.h"
#include "support/process.h"

namespace packhorse::queue::model {

using namespace std::chrono_literals;

Player::Player(Shared& shared, Options options, std::uint64_t seed)
    : shared_(shared), options_(std::move(options)), random_(seed) {
  clock_.Advance(std::chrono::microseconds(shared_.clock));
}

void Player::Fail(const std::string& what) {
  std::snprintf(static_cast<char*>(shared_.failure), sizeof shared_.failure, "%s", what.c_str());
  _exit(1);
}

void Player::Advance(std::int64_t microseconds) {
  shared_.clock += microseconds;
  clock_.Advance(std::chrono::microseconds(microseconds));
  if (std::chrono::microseconds(microseconds) >= options_.window && OneIn(8)) {
    Require(test::WaitFor([&] { return queue_->Snapshot().at_risk == 0; }), "still at risk when the window is over");
  }
}

void Player::Commit(const Model& next, bool waited) {
  Require(shared_.moments < kMaxMoments, "the test has too many moments");
  shared_.progress[shared_.moments++] = next;
  if (waited) {
    shared_.safe = shared_.moments - 1;
  }
}

Observation Player::Observe() {
  Observation seen;
  seen.ledger = *queue_->ReadLedger();
  for (std::size_t destination = 0; destination < kDestinations; ++destination) {
    const std::string name = kDestinationNames.at(destination);
    const Result<std::vector<PreparedBatch>> prepared = queue_->PreparedBatches(name);
    for (const PreparedBatch& batch : *prepared) {
      if (batch.replay != 0) {
        continue;
      }
      std::string words = std::to_string(batch.id) + " " + batch.idempotency_key + " " + batch.body;
      for (const Member& member : batch.members) {
        words += " " + std::to_string(member.sequence) + "." + std::to_string(member.first_record) + "+" +
                 std::to_string(member.records);
      }
      seen.prepared[destination].push_back(std::move(words));
    }
    for (const Lane lane : {Lane::kUrgent, Lane::kNormal, Lane::kBulk}) {
      seen.waiting[{destination, lane}] = queue_->Waiting(name, lane).messages;
      const Result<Pending> pending = queue_->Peek(name, lane, 10'000, 1ULL << 30U);
      seen.pending[{destination, lane}] = pending ? *pending : Pending();
    }
  }
  const Result<std::vector<DeadLetter>> letters = queue_->DeadLetters(10'000, 0);
  Require(letters.has_value(), "dead letters cannot be read");
  for (const DeadLetter& letter : *letters) {
    seen.dead.push_back(letter.destination + " " + Letter(letter.lane) + std::to_string(letter.sequence) + "." +
                        std::to_string(letter.record) + " " + letter.message.payload);
  }
  std::sort(seen.dead.begin(), seen.dead.end());
  seen.suspects = ObserveSuspects();
  seen.quarantined = queue_->Snapshot().quarantined;
  return seen;
}

// Where the moment does not have the lake yet, but this process does, or the one that crashed had begun it. Where it is
// gone and got nothing, nobody sees whether it had begun: unless that was sure, it may catch up when it comes.
std::string Player::BeginLake(Model& progress, bool sure, const Observation& seen) {
  const bool received = std::any_of(seen.ledger.rows.begin(), seen.ledger.rows.end(), [](const LedgerRow& row) {
    return row.destination == kDestinationNames[kLake] && row.received > 0;
  });
  const Configuration& configuration = now().configuration;
  if (!configuration.lake && !received) {
    progress.lake_began = progress.lake_began && sure;
    return "";
  }
  if (progress.lake_began) {
    return "";
  }
  progress.configuration = Configuration{configuration.telemetry_to_lake, true, configuration.from_oldest};
  return model::BeginLake(progress, seen, !std::exchange(shared_.lake_tried, true));
}

// The history begins anew here. What is missing was at risk. Unless it was `sure` before that the lake had begun, the
// disk may not know it before the first checkpoint.
void Player::Matched(const Model& progress, bool sure, const Shared::Cut& cut) {
  if (cut.happened) {
    const Model& before = shared_.progress[cut.at_risk_at];
    std::uint32_t missing = 0;
    for (std::uint16_t i = progress.messages; i < before.messages; ++i) {
      missing += before.message[i].Live(0) || before.message[i].Live(1) ? 1U : 0U;
    }
    Require(missing <= cut.at_risk, std::to_string(missing) + " messages are missing, " + std::to_string(cut.at_risk) +
                                        " were said to be at risk");
    for (std::uint16_t i = 0; i < progress.messages; ++i) {
      const Message& message = progress.message[i];
      if (message.Is(0, At::kNotFor) && message.Is(1, At::kNotFor)) {
        continue;  // for nobody: whether the queue knows of it does not show
      }
      Sequence& highest = shared_.highest[static_cast<std::size_t>(message.lane())];
      highest = std::max(highest, message.sequence);
    }
  }
  const Configuration configuration = now().configuration;
  shared_.moments = 0;
  if (!sure && progress.lake_began && progress.LakeOnlyWaits()) {
    shared_.progress[shared_.moments++] = progress.WithoutLake();
  }
  shared_.progress[shared_.moments++] = progress;
  for (std::uint32_t i = 0; i < shared_.moments; ++i) {
    shared_.progress[i].configuration = configuration;
  }
  shared_.at_risk = 0;
  shared_.safe = shared_.checkpointed = shared_.at_risk_at = shared_.moments - 1;
  if (shared_.cut.happened) {  // while the queue was being opened
    shared_.cut.checkpointed = shared_.cut.at_risk = shared_.cut.at_risk_at = 0;
  }
}

void Player::NoteRisk() {
  const auto at_risk = static_cast<std::uint32_t>(queue_->Snapshot().at_risk);
  // The power may fail in between, on the store's thread: neither is behind the other then.
  shared_.at_risk = std::max(shared_.at_risk, at_risk);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  shared_.at_risk_at = shared_.moments - 1;
  std::atomic_thread_fence(std::memory_order_seq_cst);
  shared_.at_risk = at_risk;
}

// A power cut takes what proves that the queue goes on where it was: numbers that are gone may be given again, but
// under another id.
void Player::NoteId(Found found) {
  const std::string id = queue_->id();
  const bool kept = id == shared_.queue_id;
  Require(!kept || found != Found::kAfterPowerCut, "the queue has the id of before the power cut");
  if (!kept) {
    std::fill(std::begin(shared_.highest), std::end(shared_.highest), 0);
    std::snprintf(shared_.queue_id, sizeof shared_.queue_id, "%s", id.c_str());
  }
}

// What waits has the record id under which it came.
void Player::CompareIds(const Model& progress) {
  for (std::uint16_t i = 0; i < progress.messages; ++i) {
    const Message& message = progress.message[i];
    const bool waits = message.Is(0, At::kPending) || message.Is(1, At::kPending);
    Require(!waits || queue_->ids().Of(message.lane(), message.sequence) == message.queue_id,
            "number " + std::to_string(message.sequence) + " has another queue id");
  }
}

void Player::OpenAndCompare(Found found) {
  const Shared::Cut cut = std::exchange(shared_.cut, Shared::Cut());
  shared_.step = 0;
  Result<std::unique_ptr<Queue>> opened = Open(options_, clock_);
  Require(opened.has_value(), opened ? "" : opened.error().message);
  queue_ = *std::move(opened);
  NoteId(found);
  Require(!queue_->start().loss, "a loss is told, where a crash or a power cut takes nothing that a witness knows");
  using How = StartReport::How;
  const bool journal = queue_->start().journal_error.empty();
  const How expected = found == Found::kNew || found == Found::kAfterPowerCut || !journal ? How::kWithoutJournal
                       : found == Found::kAfterCrash                                      ? How::kRecovered
                                                                                          : How::kClean;
  Require(queue_->start().problem.empty(), queue_->start().problem);
  Require(found == Found::kNew || found == Found::kAfterEnd || cut.happened || queue_->start().how == expected,
          "found another way");
  const Observation seen = Observe();
  const std::uint32_t first = cut.happened                     ? cut.checkpointed
                              : found == Found::kAfterPowerCut ? shared_.checkpointed
                              : found == Found::kAfterCrash    ? shared_.safe
                                                               : shared_.moments - 1;
  const bool sure = shared_.progress[first].lake_began;
  std::string difference;
  std::uint32_t last = shared_.moments;
  while (last > first) {
    Model progress = shared_.progress[last - 1];
    std::string why = BeginLake(progress, sure, seen);
    why = why.empty() ? Compare(progress, seen) : why;
    if (why.empty()) {
      Matched(progress, sure, cut);
      CompareIds(progress);
      CompareRetained();
      Verify();
      return;
    }
    difference += difference.empty() ? why : "";
    --last;
  }
  Fail("after opening (" + std::to_string(static_cast<int>(found)) + "): " + difference);
}

void Player::Verify() {
  const Result<std::vector<std::string>> gaps = queue_->VerifyLedger();
  Require(gaps.has_value(), gaps ? "" : gaps.error().message);
  Require(gaps->empty(), gaps->empty() ? "" : "verify: " + gaps->front());
  shared_.checkpointed = shared_.safe = shared_.moments - 1;
}

void Player::Live(Found found, End end, unsigned steps) {
  OpenAndCompare(found);
  for (unsigned step = 0; step < steps; ++step) {
    shared_.step = step + 1;
    Step();
    const std::string difference = CompareLedger(now(), *queue_->ReadLedger());
    Require(difference.empty(), "step " + std::to_string(step) + ": " + difference);
    NoteRisk();
    after_step_(false);
  }
  if (end == End::kCrash) {
    after_step_(true);
    _exit(0);
  }
  if (end == End::kCrashInCheckpoint) {
    std::thread([this] { (void)queue_->VerifyLedger().has_value(); }).detach();
    std::this_thread::sleep_for(std::chrono::microseconds(Random(2'000)));  // any moment of it is a good one
    _exit(0);
  }
  queue_.reset();
  shared_.safe = shared_.checkpointed = shared_.moments - 1;
  shared_.at_risk = 0;
  shared_.at_risk_at = shared_.moments - 1;
  after_step_(true);
}

void Player::Step() {
  switch (Random(20)) {
    case 0:
      return CountOnArrival();
    case 1:
      return OneIn(3) ? Reconfigure() : OneIn(2) ? CountAhead() : Verify();
    case 2:
      return Advance(static_cast<std::int64_t>(Random(OneIn(4) ? 7'200'000'000 : 70'000'000)));
    case 3:
      return OneIn(2) ? Split() : PeekAndCompare();
    case 4:
      return Replay();
    case 5:
    case 6:
    case 7:
      return Prepare();
    case 8:
    case 9:
    case 10:
      return Settle();
    case 11:
      return GiveUp();
    case 12:
      return SendAgain();
    case 13:
    case 14:
      return MoveSuspect();
    default:
      return Append();
  }
}

void Player::Append() {
  Model next = now();
  if (next.messages == kMaxMessages) {
    return;
  }
  Message& message = next.message[next.messages++];
  message = Message{};
  message.serial = ++shared_.serial;
  message.stream = static_cast<std::uint8_t>(Random(kStreams));
  message.records = static_cast<std::uint8_t>(1 + Random(kMaxRecords));
  // Now and then more than a small journal can hold.
  message.padding = static_cast<std::uint16_t>(OneIn(40) ? 16'000 : OneIn(4) ? Random(4'000) : Random(50));
  for (std::size_t destination = 0; destination < kDestinations; ++destination) {
    message.Put(destination, next.Wants(message.stream, destination) ? At::kPending : At::kNotFor);
  }
  RawMessage raw;
  raw.stream = *queue_->Stream(kStreamNames.at(message.stream));
  raw.topic = "a/b";
  message.hour = HourOf(clock_.Wall());
  raw.payload = message.Payload();
  raw.received_at = clock_.Wall();
  raw.boot_time = clock_.Boot();
  const Result<Sequence> sequence = queue_->Append(raw);
  Require(sequence.has_value(), sequence ? "" : sequence.error().message);
  Sequence& highest = shared_.highest[static_cast<std::size_t>(message.lane())];
  Require(*sequence > highest, "number " + std::to_string(*sequence) + " was given before");
  highest = message.sequence = *sequence;
  std::snprintf(message.queue_id, sizeof message.queue_id, "%s", queue_->id().c_str());
  Commit(next, true);
  if (options_.strict) {
    shared_.checkpointed = shared_.moments - 1;
  }
}

void Player::CountOnArrival() {
  Model next = now();
  const std::size_t stream = Random(kStreams);
  const StreamId id = *queue_->Stream(kStreamNames.at(stream));
  const bool drop = OneIn(2);
  for (std::size_t destination = 0; destination < kDestinations; ++destination) {
    if (next.Wants(stream, destination)) {
      ++(drop ? next.dropped : next.quarantined)[stream][destination];
    }
  }
  if (drop) {
    queue_->CountDropped(id, "retained_repeat");
    Commit(next, false);
    return;
  }
  ++next.quarantine_rows;
  RawMessage raw;
  raw.stream = id;
  raw.payload = "too large";
  raw.received_at = clock_.Wall();
  raw.boot_time = clock_.Boot();
  Require(queue_->Quarantine(raw, "payload_too_large", "").has_value(), "quarantine refused");
  Commit(next, true);
}

// What is over a limit goes, the oldest first, and the report says what that was.
void Player::GiveUp() {
  Limits limits;
  switch (Random(3)) {
    case 0:
      limits.max_messages = 1 + Random(40);
      break;
    case 1:
      limits.max_age = std::chrono::milliseconds(1 + Random(20'000'000));
      break;
    default:
      limits.max_bytes = 1;
      shared_.released = true;
  }
  queue_->SetLimits(limits);
  if (limits.max_age > std::chrono::milliseconds(0)) {
    Require(queue_->EnforceLimits(clock_.Mono()).given_up.empty(), "expired without having been told");
    Advance(std::chrono::microseconds(Expiry::Wait(limits.max_age)).count());
  }
  const std::int32_t oldest_hour = HourOf(clock_.Wall() - limits.max_age);
  for (int call = 0; call < 3; ++call) {
    const std::vector<Suspect> suspects = *queue_->Suspects("", 10'000, 0);
    const LimitReport report = queue_->EnforceLimits(clock_.Mono());
    Require(!report.problem, report.problem ? report.problem->message : "");
    for (const GivenUp& given_up : report.given_up) {
      Model next = now();
      const std::size_t destination = given_up.destination == kDestinationNames[0] ? 0 : 1;
      if (GiveUpSuspect(next, destination, given_up)) {
        Commit(next, false);
        continue;
      }
      const At at = given_up.outcome == Outcome::kExpired ? At::kExpired : At::kDropped;
      std::uint64_t messages = 0;
      for (const std::uint16_t index : next.Pending(destination, given_up.lane)) {
        Message& message = next.message[index];
        if (message.sequence > given_up.last) {
          break;
        }
        Require(messages > 0 || message.sequence == given_up.first, "given up: not from the oldest on");
        Require(at == At::kDropped || message.hour <= oldest_hour, "given up: too young");
        message.Put(destination, at);
        ++messages;
      }
      Require(messages == given_up.messages, "given up: another number of messages");
      Commit(next, false);  // each is an operation of its own
    }
    if (limits.max_age > std::chrono::milliseconds(0)) {
      RejectOldSuspects(suspects, oldest_hour);
    }
    if (limits.max_bytes > 0) {
      Verify();  // its checkpoint shows what is free
    }
  }
  queue_->SetLimits({});
}

// Changes nothing of what is pending, only in which order it may be taken.
void Player::Split() {
  const std::size_t destination = Random(kDestinations);
  const auto age = std::chrono::milliseconds(Random(100'000));
  (void)queue_->Split(kDestinationNames.at(destination), static_cast<Lane>(Random(3)), age);
}

void Player::PeekAndCompare() {
  const std::size_t destination = Random(kDestinations);
  const auto lane = static_cast<Lane>(Random(3));
  const Result<Pending> pending = queue_->Peek(kDestinationNames.at(destination), lane, 1 + Random(20), 5'000);
  if (pending) {
    const std::string difference = ComparePending(now(), destination, lane, *pending);
    Require(difference.empty(), "peek: " + difference);
  }
}

void Player::AddMessage(Batch& batch, std::uint16_t message, std::uint8_t first, std::uint8_t records) {
  batch.part[batch.parts++] = Part{message, first, records};
}

std::unique_ptr<PreparedBatch> Player::Build(const Model& model, Batch& batch, std::size_t destination, Lane lane) {
  batch.destination = static_cast<std::uint8_t>(destination);
  batch.lane = lane;
  batch.key = ++shared_.serial;
  auto built = std::make_unique<PreparedBatch>();
  built->destination = kDestinationNames.at(destination);
  built->lane = lane;
  built->idempotency_key = batch.Key();
  built->body = batch.Body();
  built->replayed = batch.replayed;
  built->suspect = batch.suspect;
  built->created_at = built->oldest_at = clock_.Wall();
  for (std::uint16_t i = 0; i < batch.parts; ++i) {
    const Part& part = batch.part[i];
    const Message& message = model.message[part.message];
    built->members.push_back(Member{message.sequence, *queue_->Stream(kStreamNames.at(message.stream)),
                                    part.first_record, part.records, message.records, message.hour});
    built->records += part.records;
  }
  return built;
}

void Player::Prepare() {
  const std::size_t destination = Random(kDestinations);
  const auto lane = static_cast<Lane>(Random(3));
  const auto part = static_cast<queue::Part>(Random(3));
  const std::size_t most = 1 + Random(kMaxParts / 4);
  const Result<Pending> pending =
      OneIn(4) ? queue_->PeekNewest(kDestinationNames.at(destination), {lane, part}, most, 1ULL << 30U)
               : queue_->Peek(kDestinationNames.at(destination), {lane, part}, most, 1ULL << 30U);
  if (!pending || pending->messages.empty()) {
    return;
  }
  Model next = now();
  std::vector<std::uint16_t> waiting = next.Pending(destination, lane);
  std::erase_if(waiting, [&](std::uint16_t index) { return next.message[index].sequence < pending->from; });
  waiting.resize(pending->messages.size());
  PrepareRequest request{kDestinationNames.at(destination), lane, pending->from, pending->through, {}, {}};
  Batch batches[2] = {};
  for (const std::uint16_t index : waiting) {
    Message& message = next.message[index];
    if (OneIn(6)) {
      const bool kept = OneIn(2);
      const Outcome outcome = kept ? Outcome::kQuarantined : OneIn(2) ? Outcome::kDropped : Outcome::kDeduplicated;
      message.Put(destination, kept                           ? At::kQuarantined
                               : outcome == Outcome::kDropped ? At::kDropped
                                                              : At::kDeduplicated);
      request.resolutions.push_back(Resolution{message.sequence, outcome, "reason", "detail", std::nullopt});
      continue;
    }
    message.Put(destination, At::kPrepared);
    const std::uint8_t cut = OneIn(4) ? static_cast<std::uint8_t>(Random(message.records)) : 0;
    if (cut > 0) {
      AddMessage(batches[0], index, 0, cut);
    }
    AddMessage(batches[cut > 0 ? 1 : Random(2)], index, cut, static_cast<std::uint8_t>(message.records - cut));
  }
  std::vector<Batch*> made;
  for (Batch& batch : batches) {
    Batch* place = next.FreeBatch();
    if (batch.parts == 0) {
      continue;
    }
    if (place == nullptr) {
      return;
    }
    *place = batch;
    place->id = -1;
    request.batches.push_back(Build(next, *place, destination, lane));
    made.push_back(place);
  }
  std::optional<Result<Ids>> prepared;
  queue_->Prepare(std::move(request), [&](Result<Ids> ids) { prepared = std::move(ids); });
  const Ids ids = Await(prepared, "prepare");
  Require(ids.size() == made.size(), "prepare: number of batches");
  for (std::size_t i = 0; i < ids.size(); ++i) {
    made[i]->id = ids[i];
  }
  Commit(next, true);
}

// Every record of the part is delivered, dead, set aside or in `later`.
void Player::SettlePart(Model& next, const Batch& batch, const Part& part, unsigned manner, Settlement& settlement,
                        Batch& later) {
  Message& message = next.message[part.message];
  for (std::uint8_t i = 0; i < part.records; ++i) {
    const auto record = static_cast<std::uint8_t>(part.first_record + i);
    const std::uint64_t fate = manner == 0 ? 0 : Random(manner + 1);
    At& at = message.at[batch.destination][record];
    if (fate == 1) {
      at = At::kDead;
      settlement.dead.push_back(DeadRecord{message.sequence, record, "rejected", "no", "", 400});
    } else if (fate == 3 && SetAside(message, batch, record, settlement)) {
      // as it says
    } else if (fate == 2 && later.parts < kMaxParts) {
      AddMessage(later, part.message, record, 1);
    } else {
      at = At::kDelivered;
    }
  }
}

void Player::Settle() {
  Model next = now();
  std::vector<Batch*> live;
  for (Batch& batch : next.batch) {
    if (batch.id != 0) {
      live.push_back(&batch);
    }
  }
  if (live.empty()) {
    return;
  }
  Batch* place = live[Random(live.size())];
  const Batch batch = *place;
  Settlement settlement;
  settlement.batch = batch.id;
  Batch later{};
  later.replayed = batch.replayed;
  later.suspect = batch.suspect;
  const auto manner = static_cast<unsigned>(Random(4));
  for (std::uint16_t i = 0; i < batch.parts; ++i) {
    SettlePart(next, batch, batch.part[i], manner, settlement, later);
  }
  place->id = 0;
  if (later.parts > 0) {
    *place = later;
    settlement.successors.push_back(Build(next, *place, batch.destination, batch.lane));
  }
  std::optional<Result<Ids>> settled;
  queue_->Settle(std::move(settlement), [&](Result<Ids> ids) { settled = std::move(ids); });
  const Ids ids = Await(settled, "settle");
  Require(ids.size() == (later.parts > 0 ? 1U : 0U), "settle: number of successors");
  if (later.parts > 0) {
    place->id = ids.front();
  }
  Commit(next, true);
}

void Player::Replay() {
  const Result<std::vector<DeadLetter>> letters = queue_->DeadLetters(100, 0);
  Require(letters.has_value(), "dead letters cannot be read");
  Model next = now();
  Batch* place = next.FreeBatch();
  if (letters->empty() || place == nullptr) {
    return;
  }
  const DeadLetter& first = (*letters)[Random(letters->size())];
  const std::size_t destination = first.destination == kDestinationNames[0] ? 0 : 1;
  Batch batch{};
  batch.id = -1;
  batch.replayed = true;
  std::vector<std::pair<std::pair<std::uint16_t, std::uint8_t>, std::int64_t>> chosen;
  for (const DeadLetter& letter : *letters) {
    if (letter.destination != first.destination || letter.lane != first.lane || (letter.id != first.id && OneIn(2)) ||
        chosen.size() == kMaxParts) {
      continue;
    }
    for (std::uint16_t i = 0; i < next.messages; ++i) {
      // The number of a message for nobody may be given again after a power cut.
      if (next.message[i].lane() == letter.lane && next.message[i].sequence == letter.sequence &&
          next.message[i].Payload() == letter.message.payload) {
        chosen.push_back({{i, static_cast<std::uint8_t>(letter.record)}, letter.id});
      }
    }
  }
  std::sort(chosen.begin(), chosen.end());
  std::vector<std::int64_t> ids;
  for (const auto& [what, id] : chosen) {
    AddMessage(batch, what.first, what.second, 1);
    next.message[what.first].ForgetWhatHasNoLetter(destination);
    next.message[what.first].at[destination][what.second] = At::kPrepared;
    ids.push_back(id);
  }
  *place = batch;
  std::optional<Result<BatchId>> replayed;
  queue_->RedriveDead(ids, Build(next, *place, destination, first.lane),
                      [&](Result<BatchId> id) { replayed = std::move(id); });
  place->id = Await(replayed, "replay");
  Commit(next, true);
}

}  // namespace packhorse::queue::model
