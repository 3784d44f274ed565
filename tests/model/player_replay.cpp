// What is delivered is sent again, and what is kept for that. The model stays as it is.

#include <algorithm>

#include "player.h"

namespace packhorse::queue::model {

using namespace std::chrono_literals;

// Unless it was let go for want of space.
void Player::CompareRetained() {
  const Model& model = now();
  for (std::uint16_t i = 0; i < model.messages && !shared_.released; ++i) {
    const Message& message = model.message[i];
    if (message.stream != kRetainedStream || (message.Is(0, At::kNotFor) && message.Is(1, At::kNotFor))) {
      continue;
    }
    const Result<StoredMessage> stored = queue_->Read(message.lane(), message.sequence);
    Require(stored && stored->message.payload == message.Payload(),
            "message " + std::to_string(message.sequence) + " is not kept");
  }
}

void Player::SettleReplayed(std::size_t destination) {
  const Result<std::vector<PreparedBatch>> prepared = queue_->PreparedBatches(kDestinationNames.at(destination));
  for (const PreparedBatch& batch : *prepared) {
    if (batch.replay == 0 || OneIn(3)) {
      continue;
    }
    Settlement settlement;
    settlement.batch = batch.id;
    if (OneIn(3)) {
      settlement.dead.push_back(DeadRecord{batch.members[0].sequence, 0, "rejected", "", "", 409});
    }
    std::optional<Result<Ids>> settled;
    queue_->Settle(std::move(settlement), [&](Result<Ids> ids) { settled = std::move(ids); });
    (void)Await(settled, "settle of a replay");
  }
}

void Player::SendAgain() {
  const std::size_t destination = Random(kDestinations);
  const std::string name = kDestinationNames.at(destination);
  SettleReplayed(destination);
  const std::optional<Queue::DueReplay> turn = queue_->NextReplay(name);
  if (!turn) {
    queue_->StartReplay({kStreamNames.at(kRetainedStream), name, WallTime{}, clock_.Wall() + 1h, 10},
                        [](const Result<queue::Replay>&) {});
    return;
  }
  const Result<ReplayPart> part = queue_->PeekReplay(turn->id, 1 + Random(kMaxParts), 1ULL << 30U);
  Require(part.has_value(), part ? "" : part.error().message);
  PrepareRequest request{name, part->lane, part->pending.from, part->pending.through, {}, {}, turn->id};
  auto batch = std::make_unique<PreparedBatch>();
  batch->destination = name;
  batch->lane = part->lane;
  batch->replay = turn->id;
  for (const StoredMessage& stored : part->pending.messages) {
    const Model& model = now();
    const auto* message = std::find_if(model.message, model.message + model.messages, [&](const Message& each) {
      return each.lane() == part->lane && each.sequence == stored.sequence;
    });
    Require(message != model.message + model.messages && message->stream == kRetainedStream &&
                message->Payload() == stored.message.payload,
            "a replay has another message");
    for (std::uint8_t record = 0; record < message->records; ++record) {
      const At at = message->at[destination][record];
      Require(!message->Live(destination) && at != At::kDead && at != At::kQuarantined,
              "a replay has a message that is not over");
    }
    batch->members.push_back(Member{stored.sequence, stored.message.stream, 0, 1, 1, message->hour});
    ++batch->records;
  }
  if (!batch->members.empty()) {
    request.batches.push_back(std::move(batch));
  }
  std::optional<Result<Ids>> prepared;
  queue_->Prepare(std::move(request), [&](Result<Ids> ids) { prepared = std::move(ids); });
  (void)Await(prepared, "prepare of a replay");
}

}  // namespace packhorse::queue::model
