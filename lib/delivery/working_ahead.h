#pragma once

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
  contract::Decoded decoded;
  std::span<contract::RenderedRecord> rendered;  // valid until the next message is asked for
};

// Makes what a batch needs of its messages in order, on two threads: one of its own goes ahead while the loop fills the
// batch; where it is not ahead, the loop makes the next by itself. What comes out is the same whoever made it
// (docs/decisions/0036-what-a-drain-costs.md). The thread starts with the first look that is worth it, waits between
// two, and is not there on a machine with one processor.
class WorkingAhead {
 public:
  // Of the message at this place; appends its records to `rendered`. A pure function, any thread.
  using Make = std::function<contract::Decoded(std::size_t, std::vector<contract::RenderedRecord>& rendered)>;

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

  // `count` messages, one look at a time. Loop thread. `make` and what it refers to outlive it, and nobody changes that
  // meanwhile: the loop is busy with it.
  class Look {
   public:
    Look(WorkingAhead& ahead, std::size_t count, const Make& make);
    ~Look();
    Look(const Look&) = delete;
    Look& operator=(const Look&) = delete;

    // Of the next message; at most `count` times.
    Made Next();

   private:
    WorkingAhead& ahead_;
    std::size_t next_ = 0;
    Part part_;  // the one with the next message
  };

 private:
  // Messages of a part, and how many parts may be made and not taken: they bound the memory, a message is made into
  // several times its bytes.
  static constexpr std::size_t kPart = 32;
  static constexpr std::size_t kAhead = 8;

  struct Work {
    std::size_t count = 0;
    const Make* make = nullptr;
    std::size_t parts() const { return (count + kPart - 1) / kPart; }
  };
  struct Slot {
    bool done = false;
    Part part;
  };

  void Begin(const Work& work);
  void Start();
  void End();
  Part TakePart(std::size_t part);
  static Part MakePart(const Work& work, std::size_t part);
  void Run();

  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable wanted_;  // for the thread: there is a part to make, or it is to end
  std::condition_variable made_;    // for the loop: a part is made
  // Guarded by mutex_; work_ changes on the loop only.
  Work work_;
  std::size_t begun_ = 0;  // parts that somebody makes or has made
  std::size_t taken_ = 0;  // parts that the loop has
  bool busy_ = false;      // the thread makes one
  bool ends_ = false;
  Slot slots_[kAhead];  // of parts that the thread has made
};

}  // namespace packhorse::delivery
