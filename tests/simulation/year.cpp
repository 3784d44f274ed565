#include "year.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

namespace packhorse::simulation {
namespace {

using namespace std::chrono_literals;

constexpr Instant kMeanGap = kMinute;  // between two messages, for each destination: so a year takes as long with two
constexpr Instant kLook = kMinute;
constexpr Instant kLetters = kDay;  // between two looks at the dead letters, or a quarter of max_age
constexpr Instant kCheckpoint = 3 * kHour;
// After the last fault: long enough for each backoff, probe and retry of what was set aside.
constexpr Instant kAftermath = 40 * kDay;
constexpr std::size_t kHistory = 4'000;
constexpr unsigned kManyKills = 5;  // times as many, in some years

}  // namespace

Year::Year(std::uint64_t seed, const Script& script)
    : script_(script),
      random_(seed),
      favourite_(static_cast<Conduct>(Draw(kConducts))),
      setup_(DrawSetup()),
      clouds_(MakeClouds()),
      gateway_(machine_, messages_, setup_, clouds_),
      conduct_ends_(clouds_.size(), Instant::max()) {
  script_.kills *= Draw(4) == 0 ? kManyKills : 1;
  next_event_ = UntilNextEvent();
}

Setup::Destination Year::DrawDestination(const std::string& name) {
  switch (Draw(3)) {
    case 0:
      return {name, true, false, 0};
    case 1:
      return {name, false, false, static_cast<std::uint32_t>(2 + Draw(7))};
    default:
      return {name, false, false, 0};
  }
}

Setup Year::DrawSetup() {
  Setup setup;
  setup.destinations.push_back(DrawDestination("cloud"));
  if (Draw(2) == 0) {
    setup.destinations.push_back(DrawDestination("second"));
  }
  if (Draw(3) == 0) {
    setup.destinations.back() = {"keeper", false, true, 0};
  }
  constexpr std::array kMaxAges = {30 * 24h, 30 * 24h, 72h, 12h};
  setup.limits.max_age = kMaxAges.at(Draw(kMaxAges.size()));
  if (Draw(4) == 0) {
    setup.limits.max_messages = 3'000;
    setup.limits.overflow.fill(Draw(2) == 0 ? Overflow::kDropOldest : Overflow::kDropNewest);
  }
  return setup;
}

std::vector<std::unique_ptr<Cloud>> Year::MakeClouds() {
  std::vector<std::unique_ptr<Cloud>> clouds;
  for (const Setup::Destination& destination : setup_.destinations) {
    clouds.push_back(std::make_unique<Cloud>(machine_, messages_, random_(), destination.keeps_order));
  }
  return clouds;
}

Instant Year::Exponential(Instant mean) {
  const double u = std::uniform_real_distribution<double>(1e-9, 1.0)(random_);
  return Instant(static_cast<std::int64_t>(-std::log(u) * static_cast<double>(mean.count())));
}

Kind Year::DrawKind() {
  if (Draw(100'000) >= script_.bad_per_hundred_thousand) {
    return Kind::kGood;
  }
  constexpr std::array kBad = {Kind::kRefused, Kind::kNamed, Kind::kCrashes, Kind::kForbidden};
  return kBad.at(Draw(kBad.size()));
}

microseconds Year::DrawClockError() {
  const Instant size = Draw(3) == 0 ? 3'650 * kDay : Exponential(Draw(2) == 0 ? kHour : 10 * kDay);
  return Draw(2) == 0 ? -size : size;
}

Instant Year::UntilNextEvent() {
  const unsigned events = script_.kills + script_.power_cuts + script_.orderly_reboots + script_.restarts +
                          script_.reloads + script_.copies + script_.copies_put_back + script_.clock_errors +
                          script_.conducts;
  return events == 0 ? Instant::max() : machine_.now() + Exponential(kYear / events);
}

Year::Event Year::DrawEvent() {
  const std::array<unsigned, kEvents> rates = {script_.kills,           script_.power_cuts,   script_.orderly_reboots,
                                               script_.restarts,        script_.reloads,      script_.copies,
                                               script_.copies_put_back, script_.clock_errors, script_.conducts};
  std::uint64_t at = Draw(std::accumulate(rates.begin(), rates.end(), 0U));
  int event = 0;
  while (at >= rates.at(static_cast<std::size_t>(event))) {
    at -= rates.at(static_cast<std::size_t>(event));
    ++event;
  }
  return static_cast<Event>(event);
}

void Year::Note(std::string what) {
  history_ += "\n  " + std::to_string(machine_.now() / kDay) + "d" + std::to_string(machine_.now() % kDay / kMinute) +
              "m " + std::move(what);
  if (history_.size() > kHistory) {
    history_.erase(0, history_.size() - kHistory);
  }
}

void Year::ChangeConduct() {
  const std::size_t which = Draw(clouds_.size());
  const Conduct conduct = Draw(3) == 0 ? favourite_ : static_cast<Conduct>(Draw(kConducts));
  clouds_.at(which)->Behave(conduct);
  const Instant longest = conduct == Conduct::kUnreachable && Draw(8) == 0 ? 20 * kDay : 8 * kHour;
  const Instant time = Exponential(longest);
  conduct_ends_.at(which) = machine_.now() + time;
  Note(setup_.destinations.at(which).name + ": " + std::string(Name(conduct)) + " for " +
       std::to_string(time / kMinute) + " min");
}

void Year::EndConducts() {
  for (std::size_t i = 0; i < clouds_.size(); ++i) {
    if (machine_.now() >= conduct_ends_.at(i)) {
      conduct_ends_.at(i) = Instant::max();
      clouds_[i]->Behave(Conduct::kFine);
      Note(setup_.destinations.at(i).name + ": fine");
    }
  }
}

void Year::ChangeClock() {
  const bool known = Draw(2) == 0;
  if (known) {
    machine_.SetSynchronized(false);
  }
  machine_.SetError(DrawClockError());
  clock_rights_ = machine_.now() + Exponential(known ? 6 * kHour : 5 * kMinute);
  Note("the clock is wrong by " + std::to_string(machine_.error() / kMinute) + " min, " +
       (known ? "and the kernel knows" : "and the kernel does not know"));
}

void Year::Happen(Event event) {
  const auto back_on = [&] { clock_rights_ = machine_.now() + Exponential(Draw(4) == 0 ? kDay : 2 * kMinute); };
  switch (event) {
    case Event::kKill:
      Note("kill");
      gateway_.Kill();
      break;
    case Event::kPowerCut:
      Note("power cut");
      gateway_.PowerCut(Exponential(Draw(4) == 0 ? 5 * kDay : kHour), DrawClockError());
      back_on();
      break;
    case Event::kOrderlyReboot:
      Note("reboot");
      gateway_.OrderlyReboot(Exponential(10 * kMinute), DrawClockError());
      back_on();
      break;
    case Event::kRestart:
      Note("restart");
      gateway_.Restart();
      break;
    case Event::kReload:
      Note("reload");
      gateway_.Reload();
      break;
    case Event::kCopy:
      Note("the queue is copied");
      gateway_.TakeCopy();
      break;
    case Event::kCopyBack:
      if (gateway_.has_copy()) {
        Note("the copy is put back");
        gateway_.PutCopyBack();
      }
      break;
    case Event::kClockError:
      ChangeClock();
      break;
    case Event::kConduct:
      ChangeConduct();
      break;
  }
}

void Year::Arrive() {
  messages_.kinds.push_back(DrawKind());
  gateway_.Publish(messages_.last());
  next_arrival_ = machine_.now() + Exponential(kMeanGap * static_cast<std::int64_t>(clouds_.size()));
}

void Year::RunUntil(Instant end) {
  while (machine_.now() < end && problem_.empty()) {
    for (const auto& cloud : clouds_) {
      cloud->Answer();
    }
    Instant next = std::min(
        {gateway_.Turn(), next_arrival_, next_event_, next_look_, next_hour_, next_checkpoint_, clock_rights_, end});
    for (std::size_t i = 0; i < clouds_.size(); ++i) {
      next = std::min({next, clouds_[i]->Next(), conduct_ends_[i]});
    }
    machine_.AdvanceTo(next);
    const Instant now = machine_.now();
    EndConducts();
    if (now >= clock_rights_) {
      clock_rights_ = Instant::max();
      machine_.SetSynchronized(true);
      Note("the clock is right");
    }
    if (now >= next_event_ && !quiet_) {
      Happen(DrawEvent());
      next_event_ = UntilNextEvent();
    }
    if (now >= next_arrival_ && !quiet_) {
      Arrive();
    }
    if (now >= next_look_) {
      gateway_.LookAround();
      next_look_ = machine_.now() + kLook;
    }
    if (now >= next_checkpoint_) {
      gateway_.Checkpoint();
      next_checkpoint_ = machine_.now() + kCheckpoint;
    }
    if (now >= next_hour_) {
      problem_ = gateway_.Check();
      next_hour_ = machine_.now() + kHour;
    }
    if (now >= next_letters_ && problem_.empty()) {
      problem_ = gateway_.CheckDeadLetters();
      next_letters_ = machine_.now() + std::min<Instant>(kLetters, setup_.limits.max_age / 4);
    }
  }
}

std::string Year::Failed(const std::string& problem) { return problem + "\n" + gateway_.Describe() + history_; }

std::string Year::Play() {
  RunUntil(kYear);
  quiet_ = true;
  next_event_ = next_arrival_ = clock_rights_ = Instant::max();
  for (std::size_t i = 0; i < clouds_.size(); ++i) {
    conduct_ends_[i] = Instant::max();
    clouds_[i]->Behave(Conduct::kFine);
  }
  machine_.SetSynchronized(true);
  Note("no more faults");
  if (problem_.empty()) {
    RunUntil(machine_.now() + kAftermath);
  }
  if (problem_.empty()) {
    problem_ = gateway_.CheckEnd();
  }
  return problem_.empty() ? "" : Failed(problem_);
}

}  // namespace packhorse::simulation
