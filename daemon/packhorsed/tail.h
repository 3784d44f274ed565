#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "control/control.h"
#include "packhorsed/wiring.h"

namespace packhorse::daemon {

// `packhorse tail`: shows messages as they arrive. The receive thread only copies them into a ring (1,000 messages, 4
// MiB); what does not fit is counted and told, never waited for. Decoding and writing happen on the loop. While nobody
// follows, nothing is copied. Loop thread.
class Tail {
 public:
  struct Filter {
    std::string stream;  // empty: all
    std::string device;  // empty: all
  };

  explicit Tail(Parts& parts);
  ~Tail();

  void Follow(std::uint64_t connection, Filter filter);
  // Sends what has arrived to those who follow, and forgets those who are gone. Call each turn.
  void Serve(control::Server& server, MonoTime now);
  bool following() const { return !followers_.empty(); }

 private:
  struct Ring;
  struct Arrived {
    Lane lane = Lane::kNormal;
    queue::StoredMessage stored;
  };
  struct Follower {
    std::uint64_t connection = 0;
    Filter filter;
  };

  void SetTap(std::shared_ptr<const ingest::Intake::Tap> tap);
  // The lines for one message with the device that each is about (empty: none known).
  std::vector<std::pair<std::string, std::string>> Lines(const Arrived& arrived) const;
  void PushAll(control::Server& server, const std::string& line);

  Parts& parts_;
  std::shared_ptr<Ring> ring_;
  std::vector<Follower> followers_;
  MonoTime next_heartbeat_{};
};

}  // namespace packhorse::daemon
