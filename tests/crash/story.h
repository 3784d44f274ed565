#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "queue/queue.h"
#include "support/manual_clock.h"

namespace packhorse::queue {

// What a process does in this moment of its story.
enum class Stage : std::uint8_t {
  kOpening,
  kAppending,
  kCheckpointing,
  kPreparing,
  kPrepared,  // the batch may be sent
  kSettling,
  kSettled,
  kReplaying,
  kCounting,
  kReconfiguring,
  kTrimming,
  kFilling,  // until the journal rotates
  kEnding,
  kOver,
};

// What a process was told, kept in memory that outlives it: no crash may undo it. What is going on when it is killed
// may have happened or not.
struct Told {
  Stage stage;
  std::uint32_t appended;  // messages 1 to `appended`
  Sequence highest;
  std::uint32_t prepared;  // messages in the batch on its way; 0: none
  std::uint32_t settled;   // messages of batches that are settled: the first ones
  std::uint32_t dead;      // of these
  std::uint32_t again;     // of these, on their way again
  bool lake;               // the second destination is there
  // As soon as they begin.
  std::uint32_t appending;
  std::uint32_t preparing;
  std::uint32_t settling;
  std::uint32_t dying;
};

// One history of a queue with one stream: messages arrive, go in batches, die, are replayed, a destination is added,
// the journal rotates.
class Story {
 public:
  Story(Told& told, Options options) : told_(told), options_(std::move(options)) {}
  // From wherever `told` is. A new queue or the one that was left.
  void Tell();
  // Another process after a crash: empty, or what is wrong.
  std::string Check();

 private:
  void Enter(Stage stage) { told_.stage = stage; }
  void Open();
  void Append(int count, std::size_t bytes = 20);
  void Checkpoint();
  void Prepare(std::size_t messages);
  void Settle(bool first_dies);
  void Replay();
  void CountAhead();
  std::string CheckLedger();
  std::string CheckMessages();
  std::string CheckBatches(const std::vector<PreparedBatch>& batches);
  std::unique_ptr<PreparedBatch> Batch(const std::vector<StoredMessage>& messages) const;
  template <typename T>
  T Await(std::optional<Result<T>>& result);

  Told& told_;
  Options options_;
  test::ManualClock clock_;
  std::unique_ptr<Queue> queue_;
  BatchId batch_ = 0;
};

}  // namespace packhorse::queue
