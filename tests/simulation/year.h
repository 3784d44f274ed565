#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "cloud.h"
#include "gateway.h"
#include "machine.h"
#include "message.h"

namespace packhorse::simulation {

// How much of what happens to a gateway in a year. Each rate is a mean number a year.
struct Script {
  unsigned kills = 60;
  unsigned power_cuts = 25;
  unsigned orderly_reboots = 12;
  unsigned restarts = 12;
  unsigned reloads = 40;
  unsigned copies = 6;
  unsigned copies_put_back = 3;
  unsigned clock_errors = 20;
  unsigned conducts = 200;                 // times that the cloud begins to behave otherwise
  unsigned bad_per_hundred_thousand = 20;  // messages
};

// One simulated year from one seed.
class Year {
 public:
  Year(std::uint64_t seed, const Script& script);
  // Empty, or what went wrong, with the last events.
  std::string Play();
  std::string Describe() { return gateway_.Describe(); }

 private:
  enum class Event : std::uint8_t {
    kKill,
    kPowerCut,
    kOrderlyReboot,
    kRestart,
    kReload,
    kCopy,
    kCopyBack,
    kClockError,
    kConduct,
  };
  static constexpr int kEvents = static_cast<int>(Event::kConduct) + 1;

  std::uint64_t Draw(std::uint64_t below) {
    return std::uniform_int_distribution<std::uint64_t>(0, below - 1)(random_);
  }
  Instant Exponential(Instant mean);
  Kind DrawKind();
  Setup DrawSetup();
  Setup::Destination DrawDestination(const std::string& name);
  std::vector<std::unique_ptr<Cloud>> MakeClouds();
  microseconds DrawClockError();
  Instant UntilNextEvent();
  Event DrawEvent();
  void Happen(Event event);
  void ChangeConduct();
  void EndConducts();
  void ChangeClock();
  void Arrive();
  // Everything up to this instant.
  void RunUntil(Instant end);
  std::string Failed(const std::string& problem);
  void Note(std::string what);

  Script script_;
  std::mt19937_64 random_;
  const Conduct favourite_;  // how the clouds of this year misbehave most
  Machine machine_;
  Messages messages_;
  const Setup setup_;
  std::vector<std::unique_ptr<Cloud>> clouds_;  // of the destinations, in their order
  Gateway gateway_;
  Instant next_arrival_{0};
  Instant next_event_{0};
  Instant next_look_{0};
  Instant next_checkpoint_{kHour};
  Instant next_hour_{kHour};
  Instant next_letters_{kHour};
  std::vector<Instant> conduct_ends_;     // of each cloud
  Instant clock_rights_{Instant::max()};  // when a wrong clock is right again
  bool quiet_ = false;                    // no faults any more
  std::string problem_;
  std::string history_;
};

}  // namespace packhorse::simulation
