// `packhorse replay`: what was delivered goes again.

#include <algorithm>
#include <chrono>
#include <utility>

#include "common/queue_json.h"
#include "health/log.h"
#include "packhorsed/handlers.h"

namespace packhorse::daemon {
namespace {

constexpr std::int64_t kUsualRate = 100;
constexpr std::int64_t kLargestRate = 100'000;

Status CheckStream(const config::Config& config, const std::string& name) {
  std::string known;
  for (const config::Stream& stream : config.streams) {
    if (stream.name == name) {
      return {};
    }
    known += (known.empty() ? "" : ", ") + stream.name;
  }
  return Error{ErrorCode::kNotFound, "no stream is named '" + name + "'; there is: " + known};
}

WallTime At(std::int64_t micros) { return WallTime(std::chrono::microseconds(micros)); }

}  // namespace

control::Answer Handlers::StartReplay(const control::Call& call, const Args& args) {
  const auto stream = args.Text("stream", "");
  const auto destination = args.Text("destination", "");
  const auto from = args.Integer("from_us", 0, INT64_MIN, INT64_MAX);
  const auto to = args.Integer("to_us", 0, INT64_MIN, INT64_MAX);
  const auto rate = args.Integer("rate", kUsualRate, 1, kLargestRate);
  for (const auto* number : {&from, &to, &rate}) {
    if (!*number) {
      return number->error();
    }
  }
  if (!stream || !destination || stream->empty() || destination->empty()) {
    return Error{ErrorCode::kInvalidArgument, "say which stream and which destination"};
  }
  const Status stream_known = CheckStream(app_.config, *stream);
  const auto chosen = Chosen(args);
  if (!stream_known || !chosen) {
    return stream_known ? chosen.error() : stream_known.error();
  }
  const auto& all = app_.config.destinations;
  const auto to_whom =
      std::find_if(all.begin(), all.end(), [&](const auto& entry) { return entry.name == *destination; });
  if (to_whom != all.end() && to_whom->receiver == "watermark") {
    return Error{
        ErrorCode::kInvalidArgument,
        "destination '" + *destination +
            "' has \"receiver\": \"watermark\": it would take what is sent again for a repetition and forget it"};
  }
  const queue::ReplayRequest request{*stream, *destination, At(*from), At(*to), static_cast<std::uint32_t>(*rate)};
  app_.queue->StartReplay(request, [this, connection = call.connection](const Result<queue::Replay>& replay) {
    if (replay) {
      health::Log(health::LogLevel::kInfo, "replay_started", "stored messages are sent again on request",
                  {{"id", std::to_string(replay->id)},
                   {"stream", replay->what.stream},
                   {"destination", replay->what.destination}});
    }
    ready_.emplace_back(connection, replay ? control::Answer(ReplayJson(*replay)) : control::Answer(replay.error()));
  });
  return Later();
}

control::Answer Handlers::ListReplays(const control::Call&, const Args&) {
  return ReplaysJson(app_.queue->Replays(), false);
}

control::Answer Handlers::CancelReplay(const control::Call& call, const Args& args) {
  const auto id = args.Integer("id", -1, 0, INT64_MAX);
  RETURN_IF_ERROR(id);
  app_.queue->CancelReplay(*id, [this, connection = call.connection](const Result<queue::Replay>& replay) {
    ready_.emplace_back(connection, replay ? control::Answer(ReplayJson(*replay)) : control::Answer(replay.error()));
  });
  return Later();
}

}  // namespace packhorse::daemon
