#pragma once

#include <functional>

#include "story.h"
#include "support/temp_dir.h"

namespace packhorse::queue {

// A queue in a process of its own, which may end in the middle of anything.

// What the process was told, in memory that outlives it.
class Memory {
 public:
  Memory();
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  Told& operator*() const { return *static_cast<Told*>(told_); }

 private:
  void* told_;
};

// How the process that does `work` ended: 0 well, 1 with a complaint, 128 + a signal.
int InAnotherProcess(const std::function<void()>& work);

// A queue in the folder, with a journal so small that it rotates within a story.
Options OptionsIn(const test::TempDir& dir, bool strict);

// Which calls of a history have their turn: each n-th, as PACKHORSE_EVERY says (1: all of them).
int EveryNth(int otherwise);

// Lets another process check the queue that was left.
void ExpectWhole(Told& told, Options options);

}  // namespace packhorse::queue
