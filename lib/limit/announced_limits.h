#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "limit/rate_limit.h"

namespace packhorse::limit {

// Limits that the other side announces in its replies (RateLimit-Policy, RateLimit, X-RateLimit-*), kept as if they
// were configured, so that it need not refuse anything. No I/O; time is an argument and monotonic; not thread-safe
// (loop). Memory: kMost limits of 64 slots each.
//
// A window that is announced (100 requests in 60 s) holds from then on, in ANY interval of its length, and its requests
// are spread evenly at 97 % of it. Where what is said to be left until a moment is less than our own count leaves, it
// is not exceeded; where it is much less, others use the same quota: then it is what is left that is spread evenly. So
// it is where the length of the window is not told. There the first request of the next window goes alone: its reply
// tells. Of requests at the same time no more are under way than is announced.
//
// Until a first reply has told whether anything is announced, one request at a time goes: several could exceed together
// what the first one tells.
//
// A limit ends when newer words of the same name replace it, when twenty replies in ten minutes or more have not named
// it, and at the latest an hour after the last reply that did; it stays for up to a day where that reply told a moment
// when all of it is there again. While nothing is answered it stays. Whatever is announced, a request may go half an
// hour after the one before. So a header that is wrong, or made up by somebody in between, costs an hour.

// One limit, as one reply tells of it.
struct Announcement {
  std::string name;  // empty: it has none
  Window::Unit unit = Window::Unit::kRequests;
  std::optional<std::uint64_t> count;               // of the whole window
  std::optional<std::chrono::milliseconds> per;     // the length of the window
  std::optional<std::uint64_t> left;                // of the present one
  std::optional<std::chrono::milliseconds> resets;  // when there is all of it again, from now on
  bool at_once = false;                             // `count` is of requests at the same time: there is no window

  bool operator==(const Announcement&) const = default;
};

class AnnouncedLimits {
 public:
  static constexpr std::size_t kMost = 8;

  // A reply announces these; empty: nothing. `sent`: when the request was admitted that it answers. Values that make no
  // sense count as not said.
  void Note(const std::vector<Announcement>& said, MonoTime sent, MonoTime now);
  // When a request of this cost may go: `now` or later.
  MonoTime NextAdmission(const Cost& cost, MonoTime now) const;
  // Counts it. REQUIRES: NextAdmission(cost, now) <= now.
  void Admit(const Cost& cost, MonoTime now);
  // What was admitted then is under way no longer. `arrived`: it reached the other side, or may have. Before Note().
  void Answered(const Cost& cost, MonoTime sent, bool arrived, MonoTime now);
  // What is still under way is others', whose replies do not come here.
  void LeaveOthers() { under_way_ = {0, 0, 0}; }
  // As RateLimit::SetFactor(), of the windows.
  void SetFactor(double factor);

  // All of them. What is under way still counts for those that are announced next.
  void Forget();

  bool any() const { return !limits_.empty(); }
  // The first reply is under way that tells whether there are any: nothing goes beside it.
  bool awaits_first() const { return !heard_ && under_way_.requests > 0; }
  // What is in force, as if it were announced now: for people, and for the next run.
  std::vector<Announcement> Now(MonoTime now) const;
  void Restore(const std::vector<Announcement>& kept, MonoTime now);

 private:
  struct Limit {
    Announcement said;     // what makes sense of it; `left` and `resets` are below
    RateLimit window{{}};  // none where its length or count is not known
    std::optional<std::uint64_t> left;
    MonoTime ends{};                     // of the window that `left` is about
    MonoTime told_by{};                  // when the request was sent whose reply said so
    bool capped = false;                 // our own count leaves more
    bool others = false;                 // use the same quota, as far as is known
    bool asking = false;                 // what the next window has: one request is under way for that
    MonoTime next_at{};                  // by the even pace
    std::chrono::nanoseconds spacing{};  // of what is left, as it was last
    MonoTime announced_at{};
    std::uint32_t silent = 0;  // replies since
  };

  Limit& Of(const Announcement& said, MonoTime now);
  void Take(const Announcement& said, MonoTime sent, MonoTime now);
  void TakeLeft(Limit& limit, const Announcement& said, MonoTime sent, MonoTime now);
  static bool Over(const Limit& limit, MonoTime now);
  MonoTime Next(const Limit& limit, const Cost& cost, MonoTime now) const;
  static std::chrono::nanoseconds SpacingOf(Limit& limit, std::uint64_t amount, MonoTime now);

  std::vector<Limit> limits_;
  Cost under_way_{0, 0, 0};
  MonoTime admitted_at_{};  // the last one
  bool heard_ = false;      // a reply came, or what replies had told before is known
  double factor_ = 1.0;
};

// What several destinations have in common that use one account.
struct SharedLimits {
  RateLimit configured{{}};
  AnnouncedLimits announced = {};
};

}  // namespace packhorse::limit
