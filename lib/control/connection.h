#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/file.h"
#include "control/server.h"

namespace packhorse::control {

// One client of the server: its two buffers and what it waits for. Never blocks. Not thread-safe.
class Connection {
 public:
  enum class Wait : std::uint8_t {
    kNothing,  // the next request may be handled
    kHandler,  // a handler is running for it
    kAnswer,   // a handler said that the answer follows later
  };

  Connection(Fd fd, bool may_change, const Limits& limits, MonoTime now)
      : fd_(std::move(fd)), may_change_(may_change), limits_(limits), last_active_(now) {}

  int fd() const { return fd_.get(); }
  bool may_change() const { return may_change_; }

  // Reads what is there, as far as the bound of a request allows.
  void Receive(MonoTime now);
  // Takes the next complete request line when one may be handled now; false when there is none. A line that is too long
  // is answered with an error, and nothing after it is read.
  bool NextLine(std::string& line, MonoTime now);
  // Queues one line. Over the bound (of followers a lower one) the connection ends.
  void Queue(std::string_view line, MonoTime now);
  // Bytes that are held for it.
  std::size_t held() const { return output_.size(); }
  // Of these: what is not written yet.
  std::size_t unsent() const { return output_.size() - written_; }
  // Writes what can be written.
  void Flush(MonoTime now);
  // To be closed now: gone, over a bound, or finished with everything that it asked for.
  bool Ended(MonoTime now) const;
  void Drop() { broken_ = true; }
  bool alive() const { return !broken_; }
  // Nothing that it asked for is under way: it follows, has not asked for anything, or does not read.
  bool LetsUsWait() const { return following || wait == Wait::kNothing; }
  // Of two that let us wait: followers first, then whoever has done so for longer.
  bool GivesWayBefore(const Connection& other) const {
    return LetsUsWait() && (following != other.following ? following : !following && last_active_ < other.last_active_);
  }
  // When Ended() may become true by time alone.
  MonoTime Deadline() const { return last_active_ + limits_.idle; }
  bool WantsToRead() const;
  // Also when a further request waits in the buffer: then an iteration is wanted at once.
  bool WantsIteration() const;

  Wait wait = Wait::kNothing;
  bool following = false;    // gets lines that it did not ask for one by one
  std::uint32_t events = 0;  // what the server's epoll watches for it

 private:
  std::size_t Most() const;
  // A request, or what is too long to be one, that may be looked at now.
  bool HasLine() const;

  Fd fd_;
  bool may_change_;
  const Limits& limits_;
  MonoTime last_active_;  // the last byte in or out, or since when bytes wait to go out
  std::string input_;
  std::string output_;
  std::size_t written_ = 0;  // of output_
  bool end_of_input_ = false;
  bool finishing_ = false;  // reads nothing more and ends when the output is written
  bool broken_ = false;
};

}  // namespace packhorse::control
