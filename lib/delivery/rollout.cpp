#include "delivery/rollout.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/crc32c.h"
#include "base/enum_names.h"
#include "base/text.h"
#include "base/units.h"

namespace packhorse::delivery {
namespace {

constexpr EnumNames<Rollout::State, 4> kStateNames{{"running", "paused", "rolled_back", "finished"}};

// The bound is looked at after each request, so it is a strict one: right in 199 of 200 looks.
constexpr double kDeviations = 2.58;
// One request, or two, may fail for reasons of their own.
constexpr std::uint64_t kMinFaulty = 3;
// Records that are unfit, and nothing is sent between them: they count as a request.
constexpr std::uint32_t kUnfitRequest = 20;
constexpr std::size_t kMaxWords = 300;
constexpr double kHundred = 100.0;
constexpr std::uint32_t kPlaces = 10'000;

// Wilson's lower bound of a share. Shares of requests are no worse than yes and no: their variance is not larger.
double AtLeast(double sum, double count) {
  const double z2 = kDeviations * kDeviations;
  const double share = std::min(1.0, sum / count);
  const double middle = share + z2 / (2 * count);
  const double spread = kDeviations * std::sqrt(share * (1 - share) / count + z2 / (4 * count * count));
  return (middle - spread) / (1 + z2 / count);
}

// Where a device stands among all, 0 to kPlaces - 1. The contract's name mixes in, so that not the same devices are the
// first each time. CRC-32C alone spreads names that differ in a digit badly: its bits are mixed.
std::uint32_t PlaceOf(std::string_view device, const std::string& contract) {
  std::uint32_t hash = Crc32c(contract + "\n" + std::string(device));
  hash ^= hash >> 16U;
  hash *= 0x85EBCA6BU;
  hash ^= hash >> 13U;
  hash *= 0xC2B2AE35U;
  hash ^= hash >> 16U;
  return hash % kPlaces;
}

std::string Percent(double share) {
  const auto tenths = static_cast<std::int64_t>(std::round(share * kHundred * 10));
  return std::to_string(tenths / 10) + (tenths % 10 == 0 ? "" : "." + std::to_string(tenths % 10)) + " %";
}

}  // namespace

std::string_view Name(Rollout::State state) { return kStateNames.Of(state); }
std::optional<Rollout::State> ParseRolloutState(std::string_view name) { return kStateNames.Find(name); }

Rollout::Rollout(RolloutOptions options, std::string present) : options_(std::move(options)) {
  kept_.present = std::move(present);
  kept_.newer = options_.contract->name();
  kept_.percent = options_.devices.empty() ? options_.steps.front() : 0;
}

bool Rollout::Takes(std::string_view device) const {
  if (!runs()) {
    return false;
  }
  if (kept_.percent >= 100) {
    return true;
  }
  const bool named = std::find(options_.devices.begin(), options_.devices.end(), device) != options_.devices.end();
  return named || (!device.empty() && PlaceOf(device, kept_.newer) < kept_.percent * (kPlaces / 100));
}

void Rollout::NoteRequest(std::uint32_t taken) {
  ++kept_.counts.requests;
  kept_.counts.records += taken;
  if (unfit_ > 0) {
    const std::uint32_t unfit = std::exchange(unfit_, 0);
    ++kept_.counts.faulty;
    kept_.counts.faults += static_cast<double>(unfit) / (unfit + taken);
  }
}

void Rollout::NoteFault(std::uint32_t records, std::uint32_t of, std::string_view words) {
  ++kept_.counts.faulty;
  kept_.counts.faults += static_cast<double>(records) / std::max(1U, of);
  last_words_ = Shorten(std::string(words), kMaxWords);
}

void Rollout::NoteUnfit(std::string_view words) {
  last_words_ = Shorten(std::string(words), kMaxWords);
  if (++unfit_ >= kUnfitRequest) {
    NoteRequest(0);
  }
}

double Rollout::share() const {
  return kept_.counts.requests == 0 ? 0
                                    : std::min(1.0, kept_.counts.faults / static_cast<double>(kept_.counts.requests));
}

bool Rollout::TooManyErrors() const {
  const Counts& counts = kept_.counts;
  return counts.faulty >= kMinFaulty && counts.requests > 0 &&
         AtLeast(counts.faults, static_cast<double>(counts.requests)) > options_.max_error_increase;
}

std::string Rollout::WhyTooMany() const {
  return Percent(share()) + " of what " + std::to_string(kept_.counts.requests) +
         " requests carried did not get through" + " as " + kept_.newer + ", and did as " + kept_.present +
         ", where at most " + Percent(options_.max_error_increase) + " may" +
         (last_words_.empty() ? "" : ": " + last_words_);
}

Rollout::Change Rollout::Step(MonoTime now) {
  const MonoTime before = std::exchange(looked_at_, now).value_or(now);
  if (!runs()) {
    return Change::kNone;
  }
  kept_.held += std::chrono::duration_cast<std::chrono::milliseconds>(now - before);
  // What is less than a millisecond counts at the next look.
  *looked_at_ -= (now - before) % std::chrono::milliseconds(1);
  if (TooManyErrors()) {
    RollBack(WhyTooMany());
    return Change::kRolledBack;
  }
  return kept_.state == State::kRunning && WaitsFor().empty() ? Advance() : Change::kNone;
}

std::string Rollout::WaitsFor() const {
  if (kept_.held < options_.hold) {
    return "the time of the step";
  }
  if (kept_.counts.records < options_.min_records) {
    return "records by the newer contract: " + std::to_string(kept_.counts.records) + " of " +
           std::to_string(options_.min_records);
  }
  return share() > options_.max_error_increase ? "more requests, to tell whether the errors are too many" : "";
}

std::optional<MonoTime> Rollout::next(MonoTime now) const {
  if (kept_.state != State::kRunning || kept_.held >= options_.hold) {
    return std::nullopt;
  }
  return now + (options_.hold - kept_.held);
}

Rollout::Change Rollout::Advance() {
  const auto step = std::find_if(options_.steps.begin(), options_.steps.end(),
                                 [&](std::uint32_t percent) { return percent > kept_.percent; });
  kept_.held = {};
  kept_.counts = {};
  kept_.reason.clear();
  unfit_ = 0;
  if (step == options_.steps.end()) {
    kept_.state = State::kFinished;
    return Change::kFinished;
  }
  kept_.state = State::kRunning;
  kept_.percent = *step;
  return Change::kAdvanced;
}

void Rollout::RollBack(std::string reason) {
  kept_.state = State::kRolledBack;
  kept_.reason = std::move(reason);
}

Result<Rollout::Change> Rollout::Do(RolloutAction action) {
  if (kept_.state == State::kFinished) {
    return Error{ErrorCode::kInvalidArgument,
                 "the rollout is finished: write \"contract\": \"" + kept_.newer + "\" into the configuration"};
  }
  switch (action) {
    case RolloutAction::kPause:
    case RolloutAction::kResume:
      if (!runs()) {
        return Error{ErrorCode::kInvalidArgument, "the rollout was rolled back; advance begins it anew"};
      }
      kept_.state = action == RolloutAction::kPause ? State::kPaused : State::kRunning;
      return Change::kNone;
    case RolloutAction::kAdvance:
      if (kept_.state == State::kRolledBack) {
        RolloutOptions options = options_;
        *this = Rollout(std::move(options), kept_.present);
        return Change::kAdvanced;
      }
      return Advance();
    case RolloutAction::kRollBack:
      break;
  }
  RollBack("by hand");
  return Change::kRolledBack;
}

void Rollout::Restore(const Kept& kept) {
  if (kept.present == kept_.present && kept.newer == kept_.newer) {
    kept_ = kept;
    // It was read from a file.
    kept_.percent = std::min(kept_.percent, 100U);
    kept_.held = std::clamp(kept_.held, std::chrono::milliseconds(0), options_.hold);
    kept_.counts.faults = std::clamp(kept_.counts.faults, 0.0, static_cast<double>(kept_.counts.faulty));
  }
}

Rollout::Status Rollout::Snapshot() const {
  return Status{kept_,
                options_.devices.size(),
                share(),
                options_.max_error_increase,
                options_.hold,
                options_.min_records,
                kept_.state == State::kRunning ? WaitsFor() : ""};
}

}  // namespace packhorse::delivery
