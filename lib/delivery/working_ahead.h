#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "contract/cloud_contract.h"
#include "contract/device_contract.h"

namespace packhorse::delivery {

// What is made of one stored message: its records, or these rendered. Records are dozens of blocks of memory, which are
// cheap where one thread takes and frees them: only where rendering needs the loop do they go there.
struct Made {
  contract::Decoded& decoded;
  std::span<contract::RenderedRecord> rendered;
};

// Makes what batches need of their messages, and reads what is next, on two threads: one of its own goes ahead, also
// while the loop does something else; where it is not ahead, the loop makes what it needs by itself. What comes out is
// the same whoever made it (docs/decisions/0036-what-a-drain-costs.md). The thread starts with the first look that is
// worth it, waits between two, and is not there on a machine with one processor.
class WorkingAhead {
 public:
  // Of the message at this place; appends its records to `rendered`. A pure function, any thread: what it refers to
  // does not change as long as its look is there.
  using Make = std::function<contract::Decoded(std::size_t, std::vector<contract::RenderedRecord>& rendered)>;

  // Of fewer messages the loop makes all before the thread is awake.
  static constexpr std::size_t kWorthIt = 64;

  WorkingAhead() = default;
  ~WorkingAhead();
  WorkingAhead(const WorkingAhead&) = delete;
  WorkingAhead& operator=(const WorkingAhead&) = delete;

  // Messages that a thread makes at a time. Their rendered records lie together: few blocks of memory go from thread to
  // thread.
  struct Part {
    struct Message {
      contract::Decoded decoded;
      std::size_t rendered_end = 0;
    };
    std::vector<Message> messages;
    std::vector<contract::RenderedRecord> rendered;
  };

  // `count` messages in order. Loop thread. Of all looks at a time one has the thread, the first; what is asked of
  // another one, the loop makes.
  class Look {
   public:
    Look(WorkingAhead& ahead, std::size_t count, Make make);
    ~Look();
    Look(const Look&) = delete;
    Look& operator=(const Look&) = delete;

    // The message that is next, until Take(). REQUIRES: fewer than `count` are taken.
    Made Next();
    void Take() { ++next_; }

   private:
    WorkingAhead& ahead_;
    const std::size_t count_;
    const Make make_;
    const bool has_thread_;
    std::size_t next_ = 0;
    std::size_t parts_ = 0;  // that were asked for
    Part part_;              // the last of them
  };

  // Something else that the thread does before it goes on, if there is one already; else the loop does it, in Await().
  // Loop thread; one at a time.
  class Task {
   public:
    Task(WorkingAhead& ahead, std::function<void()> work);
    ~Task() { Await(); }
    Task(const Task&) = delete;
    Task& operator=(const Task&) = delete;
    // Returns once it is done.
    void Await();

   private:
    WorkingAhead& ahead_;
    const std::function<void()> work_;
    bool done_ = false;  // guarded by ahead_.mutex_
    friend class WorkingAhead;
  };

 private:
  // Messages of a part, and how many parts may be made and not taken: they bound the memory, a message is made into
  // several times its bytes.
  static constexpr std::size_t kPart = 32;
  static constexpr std::size_t kAhead = 16;

  struct Work {
    std::size_t count = 0;
    const Make* make = nullptr;
    std::size_t parts() const { return (count + kPart - 1) / kPart; }
  };
  struct Slot {
    bool done = false;
    Part part;
  };

  bool Begin(const Work& work);
  void Start();
  void End();
  Part TakePart(std::size_t part);
  bool MayBeginLocked() const;
  void MakeNextLocked(std::unique_lock<std::mutex>& lock);
  void DoTaskLocked(std::unique_lock<std::mutex>& lock);
  static Part MakePart(const Work& work, std::size_t part);
  void Run();

  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable wanted_;  // for the thread: there is a part to make, or it is to end
  std::condition_variable made_;    // for the loop: a part is made, or the task done
  // Guarded by mutex_; work_ changes on the loop only.
  Work work_;
  std::size_t begun_ = 0;  // parts that somebody makes or has made
  std::size_t taken_ = 0;  // parts that the loop has
  bool busy_ = false;      // the thread makes one
  Task* task_ = nullptr;   // that nobody has begun
  bool ends_ = false;
  std::array<Slot, kAhead> slots_;  // of parts that are made
};

}  // namespace packhorse::delivery
