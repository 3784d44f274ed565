#pragma once

#include <chrono>
#include <deque>
#include <string>

namespace packhorse::ingest {

// Whether the connections of a source last, and if not, why that is likely. One thread; `now` is an argument.
class Stability {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // `settled_after`: how long a connection has to last until it counts as stable again.
  Stability(std::string client_id, std::chrono::milliseconds settled_after);

  // A connection that had lived since `connected` is lost. `taken_over`: the broker says that another client came.
  void OnLoss(const std::string& reason, bool taken_over, Time connected, Time now);
  // The connection since `connected` still stands.
  void OnAlive(Time connected, Time now);
  // When OnAlive() changes the cause.
  Time SettlesAt(Time connected) const { return connected + settled_after_; }
  const std::string& cause() const { return cause_; }  // empty: they last
  // The same with what was said of the last loss.
  std::string Described() const { return cause_.empty() ? "" : cause_ + " (the last time: " + last_loss_ + ")"; }

 private:
  const std::string id_;
  const std::chrono::milliseconds settled_after_;
  std::deque<Time> losses_;  // of the last minutes
  std::string cause_;
  std::string last_loss_;
};

}  // namespace packhorse::ingest
