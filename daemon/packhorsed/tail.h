#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/control.h"
#include "packhorsed/app.h"

namespace packhorse::daemon {

// `packhorse tail`: shows messages as they arrive, a line of JSON for each record. Follows the observer while somebody
// follows it: what that has no time for, or who follows does not read in time, is counted and told, never waited for.
// Loop thread.
class Tail {
 public:
  struct Filter {
    std::string stream;  // empty: all
    std::string device;  // empty: all
  };

  explicit Tail(App& app) : app_(app) {}
  ~Tail();

  void Follow(std::uint64_t connection, Filter filter);
  // Sends what was observed to those who follow, and forgets those who are gone. Each iteration, after
  // Observer::Observe().
  void Serve(control::Server& server, MonoTime now);
  bool following() const { return !followers_.empty(); }

 private:
  struct Follower {
    std::uint64_t connection = 0;
    Filter filter;
    std::uint64_t skipped = 0;  // lines that it was too slow for, since it was told of the last ones
  };
  struct Line {
    std::string stream;
    std::string device;  // empty: none known
    std::string text;
  };

  void Note(const observer::Observation& observation);
  bool Wanted(const std::string& stream) const;
  void PushAll(control::Server& server, const std::string& line);
  // False when it is gone.
  static bool Show(control::Server& server, Follower& follower, const Line& line);

  App& app_;
  std::optional<observer::Observer::FollowerId> source_;
  std::vector<Line> lines_;  // since the last Serve(): at most what one iteration observes
  std::uint64_t shed_told_ = 0;
  std::vector<Follower> followers_;
  MonoTime next_heartbeat_{};
};

}  // namespace packhorse::daemon
