#include "batch/lane_scheduler.h"

#include <algorithm>

namespace packhorse::batch {
namespace {

// Turns of a lane for one of the lanes below it.
constexpr std::uint32_t kRun = 4;
// Turns of others for one of a replay.
constexpr std::uint32_t kReplayRun = 16;
constexpr double kLeastShare = 0.01;
constexpr double kMostShare = 0.99;
// Shares like 0.1 are not exact in binary: ten of them count as a whole.
constexpr double kRounding = 1e-9;

constexpr Line kUrgentLive{Lane::kUrgent, false};

bool Waits(const Ready& ready, Lane lane, bool backlog) { return ready.at(IndexOf(Line{lane, backlog})); }

bool AnyLive(const Ready& ready, Lane from) {
  return (from == Lane::kUrgent && Waits(ready, Lane::kUrgent, false)) || Waits(ready, Lane::kNormal, false) ||
         Waits(ready, Lane::kBulk, false);
}

bool AnyBacklog(const Ready& ready) {
  return Waits(ready, Lane::kUrgent, true) || Waits(ready, Lane::kNormal, true) || Waits(ready, Lane::kBulk, true);
}

}  // namespace

// The comparison is written so that NaN becomes the least share.
LaneScheduler::LaneScheduler(double backfill_share)
    : share_(backfill_share > kLeastShare ? std::min(backfill_share, kMostShare) : kLeastShare) {}

std::optional<Line> LaneScheduler::NextOf(const Ready& ready, bool backlog, const Runs& runs) {
  const bool urgent = Waits(ready, Lane::kUrgent, backlog);
  const bool normal = Waits(ready, Lane::kNormal, backlog);
  const bool bulk = Waits(ready, Lane::kBulk, backlog);
  if (urgent && (runs.urgent < kRun || !(normal || bulk))) {
    return Line{Lane::kUrgent, backlog};
  }
  if (normal && (runs.normal < kRun || !bulk)) {
    return Line{Lane::kNormal, backlog};
  }
  return bulk ? std::optional(Line{Lane::kBulk, backlog}) : std::nullopt;
}

std::optional<Line> LaneScheduler::Next(const Ready& ready) const {
  const bool replay = ready.at(IndexOf(kReplayLine));
  const std::optional<Line> other = NextOther(ready);
  return replay && (!other || replay_waited_ >= kReplayRun) ? kReplayLine : other;
}

std::optional<Line> LaneScheduler::NextOther(const Ready& ready) const {
  const bool others = AnyLive(ready, Lane::kNormal);
  const bool backlog = AnyBacklog(ready);
  if (Waits(ready, Lane::kUrgent, false) && (live_.urgent < kRun || !(others || backlog))) {
    return kUrgentLive;
  }
  if (backlog && (!others || credit_ + share_ >= 1 - kRounding)) {
    return NextOf(ready, true, backlog_);
  }
  return NextOf(ready, false, live_);
}

void LaneScheduler::Count(Line line, const Ready& ready, Runs& runs) {
  const bool bulk = Waits(ready, Lane::kBulk, line.backlog);
  const bool below = bulk || Waits(ready, Lane::kNormal, line.backlog);
  if (line.lane == Lane::kUrgent) {
    runs.urgent = below ? runs.urgent + 1 : 0;
    return;
  }
  runs.urgent = 0;
  runs.normal = line.lane == Lane::kNormal && bulk ? runs.normal + 1 : 0;
}

void LaneScheduler::Took(Line line, const Ready& ready) {
  replay_waited_ = ready.at(IndexOf(kReplayLine)) && !line.replay ? replay_waited_ + 1 : 0;
  if (line.replay) {
    return;
  }
  const bool others = AnyLive(ready, Lane::kNormal);
  const bool backlog = AnyBacklog(ready);
  if (line == kUrgentLive) {
    live_.urgent = others || backlog ? live_.urgent + 1 : 0;
    return;
  }
  live_.urgent = 0;
  Count(line, ready, line.backlog ? backlog_ : live_);
  if (others && backlog) {
    credit_ += share_ - (line.backlog ? 1 : 0);
    credit_ = std::clamp(credit_, 0.0, 1.0);
  }
}

}  // namespace packhorse::batch
