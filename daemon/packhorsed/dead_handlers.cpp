// Commands that let dead letters and suspects go, and that write them out.

#include <algorithm>
#include <charconv>
#include <memory>
#include <utility>

#include "common/dead_json.h"
#include "common/json_parts.h"
#include "health/log.h"
#include "packhorsed/handlers.h"

namespace packhorse::daemon {
namespace {

constexpr std::size_t kMaxDrops = 1'000;

// What is let go in one call.
struct Drops {
  std::size_t waiting = 0;  // for the queue's answers, and one for the call itself
  std::vector<std::int64_t> dropped;
  std::vector<std::string> failures;
  std::function<void(control::Answer)> done;

  void Ended() {
    if (--waiting == 0) {
      std::sort(dropped.begin(), dropped.end());
      done(Dump({{"dropped", dropped}, {"failures", failures}}));
    }
  }
};

}  // namespace

control::Answer Handlers::DropDead(const control::Call& call, const Args& args) {
  const auto ids = args.Integers("ids", kMaxDrops);
  RETURN_IF_ERROR(ids);
  if (ids->empty()) {
    return Error{ErrorCode::kInvalidArgument, "say which: their ids"};
  }
  health::Log(health::LogLevel::kInfo, "dead_letters_dropped", "dead letters or suspects are given up on request",
              {{"ids", std::to_string(ids->size())}, {"first", std::to_string(ids->front())}});
  auto drops = std::make_shared<Drops>();
  drops->waiting = 1;
  drops->done = [this, connection = call.connection](control::Answer answer) {
    ready_.emplace_back(connection, std::move(answer));
  };
  for (const std::int64_t id : *ids) {
    ++drops->waiting;
    const auto ended = [drops, id](const Status& status) {
      if (status) {
        drops->dropped.push_back(id);
      } else {
        drops->failures.push_back(std::to_string(id) + ": " + status.error().message);
      }
      drops->Ended();
    };
    if (app_.queue->FindSuspect(id)) {
      app_.queue->DropSuspect(id, ended);
    } else {
      app_.queue->DropDead(id, ended);
    }
  }
  drops->Ended();
  return Later();
}

Result<std::optional<std::string>> Handlers::ReadMendedPayload(const Args& args) {
  const auto digits = args.Text("payload_hex", "");
  RETURN_IF_ERROR(digits);
  if (digits->empty()) {
    return std::optional<std::string>();
  }
  std::string payload;
  for (std::size_t at = 0; at + 1 < digits->size(); at += 2) {
    std::uint8_t byte = 0;
    const char* end = digits->data() + at + 2;
    if (std::from_chars(digits->data() + at, end, byte, 16).ptr != end) {
      break;
    }
    payload += static_cast<char>(byte);
  }
  if (payload.size() * 2 != digits->size()) {
    return Error{ErrorCode::kInvalidArgument, "payload_hex must be hexadecimal digits, two for each byte"};
  }
  return std::optional(std::move(payload));
}

control::Answer Handlers::ExportDead(const control::Call& call, const Args& args) {
  const auto destination = args.Text("destination", "");
  const auto after = args.Integer("after", 0, 0, INT64_MAX);
  if (!destination || !after) {
    return !destination ? destination.error() : after.error();
  }
  const auto page = [this, only = *destination, from = *after](bool) -> control::Answer {
    const Result<std::vector<queue::DeadLetter>> letters =
        app_.queue->DeadLetters(kDeadPage + 1, from, queue::Queue::Reading::kAsStored);
    const Result<std::vector<queue::Suspect>> suspects = app_.queue->Suspects("", kDeadPage + 1, from);
    if (!letters || !suspects) {
      return letters ? suspects.error() : letters.error();
    }
    return DeadExportJson(*letters, *suspects, only, kDeadEntryBytes);
  };
  // The first page: what is only in the journal comes first into the database.
  return *after == 0 ? AfterCheckpoint(call, page) : page(true);
}

}  // namespace packhorse::daemon
