// Records are set aside, go on their way again, and are given up.

#include <algorithm>

#include "player.h"

namespace packhorse::queue::model {

using namespace std::chrono_literals;

std::vector<std::string> Player::ObserveSuspects() {
  const Result<std::vector<Suspect>> suspects = queue_->Suspects("", 10'000, 0);
  Require(suspects.has_value(), suspects ? "" : suspects.error().message);
  std::vector<std::string> seen;
  std::size_t counted = 0;
  for (const char* name : kDestinationNames) {
    counted += queue_->SuspectCount(name);
  }
  Require(counted == suspects->size(), "number of suspects");
  for (const Suspect& suspect : *suspects) {
    const bool same = queue_->Read(suspect.lane, suspect.sequence)->message.payload == suspect.message.payload;
    Require(same, "a suspect has another payload than its message");
    Require(suspect.kept == nullptr || suspect.kept->body == "body of " + suspect.kept->idempotency_key,
            "a kept batch has another body");
    seen.push_back(suspect.destination + " " + Letter(suspect.lane) + std::to_string(suspect.sequence) + "." +
                   std::to_string(suspect.record) + " " + suspect.message.payload + " " +
                   std::to_string(suspect.suspicion.refusals) + (suspect.retrying ? " goes" : "") +
                   (suspect.kept == nullptr ? "" : " " + suspect.kept->idempotency_key));
  }
  std::sort(seen.begin(), seen.end());
  return seen;
}

bool Player::SetAside(Message& message, const Batch& batch, std::uint8_t record, Settlement& settlement) {
  const At* records = message.at[batch.destination];
  if (std::any_of(records, records + message.records, [](At at) { return at == At::kAside; })) {
    return false;
  }
  const bool alone = batch.parts == 1 && batch.part[0].records == 1;
  const bool keep = alone && OneIn(2);
  const auto refusals = static_cast<std::uint8_t>(1 + Random(200));
  message.at[batch.destination][record] = At::kAside;
  message.refusals[batch.destination][record] = refusals;
  message.kept[batch.destination][record] = keep ? batch.key : 0;
  const Suspicion known{"fails", "Internal", "req", 500, refusals, clock_.Wall(), clock_.Wall() + 30s};
  settlement.set_aside.push_back(SetAsideRecord{message.sequence, record, known, keep});
  return true;
}

void Player::MoveSuspect() {
  const std::vector<Suspect> suspects = *queue_->Suspects("", 10'000, 0);
  Model next = now();
  Batch* place = next.FreeBatch();
  if (suspects.empty() || place == nullptr) {
    return;
  }
  const Suspect& suspect = suspects[Random(suspects.size())];
  const auto message = std::find_if(next.message, next.message + next.messages, [&](const Message& each) {
    return each.lane() == suspect.lane && each.sequence == suspect.sequence;
  });
  const std::size_t destination = suspect.destination == kDestinationNames[0] ? 0 : 1;
  At& at = message->at[destination][suspect.record];
  if (suspect.retrying) {
    return;
  }
  if (OneIn(4)) {
    at = At::kRefused;
    std::optional<Result<bool>> dropped;
    queue_->DropSuspect(suspect.id, [&](const Status& status) {
      dropped = status ? Result<bool>(true) : Result<bool>(status.error());
    });
    (void)Await(dropped, "drop");
    Commit(next, true);
    return;
  }
  Batch batch{};
  batch.suspect = true;
  AddMessage(batch, static_cast<std::uint16_t>(message - next.message), static_cast<std::uint8_t>(suspect.record), 1);
  *place = batch;
  std::unique_ptr<PreparedBatch> built;
  if (suspect.kept) {
    place->destination = static_cast<std::uint8_t>(destination);
    place->lane = suspect.lane;
    place->key = message->kept[destination][suspect.record];
  } else {
    built = Build(next, *place, destination, suspect.lane);
  }
  at = At::kPrepared;
  std::optional<Result<BatchId>> retried;
  queue_->RetrySuspect(suspect.id, std::move(built), [&](Result<BatchId> id) { retried = std::move(id); });
  place->id = Await(retried, "retry");
  Commit(next, true);
}

// Those of `before` that are gone for their age: they are dead letters now.
void Player::RejectOldSuspects(const std::vector<Suspect>& before, std::int32_t oldest_hour) {
  const std::vector<Suspect> left = *queue_->Suspects("", 10'000, 0);
  for (const Suspect& suspect : before) {
    if (std::any_of(left.begin(), left.end(), [&](const Suspect& each) { return each.id == suspect.id; })) {
      continue;
    }
    Model next = now();
    const auto message = std::find_if(next.message, next.message + next.messages, [&](const Message& each) {
      return each.lane() == suspect.lane && each.sequence == suspect.sequence;
    });
    Require(!suspect.retrying && message->hour <= oldest_hour, "a suspect is rejected too young");
    message->at[suspect.destination == kDestinationNames[0] ? 0 : 1][suspect.record] = At::kDead;
    Commit(next, false);
  }
}

// Only when nothing else is left to make room.
bool Player::GiveUpSuspect(Model& next, std::size_t destination, const GivenUp& given_up) {
  for (std::uint16_t i = 0; i < next.messages; ++i) {
    Message& message = next.message[i];
    At* records = message.at[destination];
    At* new_suspect = std::find(records, records + message.records, At::kAside);
    if (message.lane() == given_up.lane && message.sequence == given_up.first && given_up.messages == 1 &&
        new_suspect != records + message.records) {
      *new_suspect = At::kDropped;
      return true;
    }
  }
  return false;
}

}  // namespace packhorse::queue::model
