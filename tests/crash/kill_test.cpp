// kill -9 of the queue, one row per state, and at every single call of a history.

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <functional>
#include <iostream>

#include "another_process.h"
#include "base/file.h"
#include "old_queue.h"
#include "queue/sqlite/database.h"
#include "story.h"
#include "support/temp_dir.h"
#include "system_calls.h"

namespace packhorse::queue {
namespace {

using test::CallKind;
using test::SystemCall;
using test::SystemCalls;

bool Holds(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }
bool InJournal(const SystemCall& call) { return call.kind == CallKind::kStore && Holds(call.path, "/intake."); }
bool InLog(const SystemCall& call) { return call.kind == CallKind::kWrite && Holds(call.path, "-wal"); }
bool InDatabase(const SystemCall& call) { return call.kind == CallKind::kWrite && call.path.ends_with("queue.db"); }
bool SyncsLog(const SystemCall& call) { return call.kind == CallKind::kSync && Holds(call.path, "-wal"); }
bool RotatesJournal(const SystemCall& call) { return InJournal(call) && call.offset == 0; }
bool Writes(const SystemCall& call) { return call.kind == CallKind::kWrite || call.kind == CallKind::kStore; }
bool Any(const SystemCall&) { return true; }

struct Row {
  const char* name;
  Stage stage;
  bool (*call)(const SystemCall&);
  int nth = 1;        // of such calls in that stage
  bool half = false;  // the call is done half, else not at all
};

constexpr Row kRows[] = {
    {"FirstNumbersReservedNotCommitted", Stage::kOpening, InLog},
    {"FirstNumbersReservedNotSynced", Stage::kOpening, SyncsLog},
    {"JournalMadeNotFilled", Stage::kOpening, InJournal},
    {"JournalHeaderHalfWritten", Stage::kOpening, InJournal, 1, true},
    {"JournalAppendNotBegun", Stage::kAppending, InJournal, 3},
    {"JournalAppendHalfDone", Stage::kAppending, InJournal, 3, true},
    {"JournalRotationHalfDone", Stage::kCheckpointing, RotatesJournal, 1, true},
    {"CommitNotBegun", Stage::kCheckpointing, InLog},
    {"CommitHalfWritten", Stage::kCheckpointing, InLog, 2, true},
    {"CommitNotSynced", Stage::kCheckpointing, SyncsLog},
    {"BatchNotFrozen", Stage::kPreparing, InJournal},
    {"BatchHalfFrozen", Stage::kPreparing, InJournal, 1, true},
    {"BatchFrozenMaybeSent", Stage::kPrepared, Any},
    {"ReplyReceivedNotSettled", Stage::kSettling, InJournal},
    {"ReplyReceivedHalfSettled", Stage::kSettling, InJournal, 1, true},
    {"Settled", Stage::kSettled, Any},
    {"SettledNotCommitted", Stage::kSettled, SyncsLog},
    {"ReplayHalfDone", Stage::kReplaying, InJournal, 1, true},
    {"ReplayedBatchHalfSettled", Stage::kReplaying, InJournal, 2, true},
    {"ReloadNotCommitted", Stage::kReconfiguring, InLog},
    {"ReloadCommittedNotSynced", Stage::kReconfiguring, SyncsLog},
    {"SegmentsTrimmedNotCommitted", Stage::kTrimming, InLog, 2},
    {"SegmentsTrimmedNotSynced", Stage::kTrimming, SyncsLog},
    {"FullJournalRotatedNotCommitted", Stage::kFilling, SyncsLog},
    {"LastCommitNotSynced", Stage::kEnding, SyncsLog},
    {"LogHalfCopiedBack", Stage::kEnding, InDatabase, 2, true},
};

[[noreturn]] void KillAt(const SystemCall& call, bool half) {
  if (half) {
    static_cast<void>(!pwrite(call.fd, call.bytes.data(), call.bytes.size() / 2, static_cast<off_t>(call.offset)));
  }
  kill(getpid(), SIGKILL);
  _exit(1);
}

using Condition = std::function<bool(const Told& told, const SystemCall& call)>;

// Kills the process that does `work` where the condition holds. Whether it did.
bool KillWhere(const Condition& condition, const Told& told, const test::TempDir& dir, bool half,
               const std::function<void()>& work) {
  const int end = InAnotherProcess([&] {
    SystemCalls::Watch(dir.path(), [&](const SystemCall& call) {
      if (condition(told, call)) {
        KillAt(call, half);
      }
      return 0;
    });
    work();
  });
  EXPECT_TRUE(end == 0 || end == 128 + SIGKILL) << end;
  return end != 0;
}

class KillTable : public ::testing::TestWithParam<Row> {};

TEST_P(KillTable, NothingToldIsLost) {
  const Row& row = GetParam();
  for (const bool strict : {false, true}) {
    SCOPED_TRACE(strict ? "strict" : "window");
    const test::TempDir dir;
    const Memory memory;
    const Options options = OptionsIn(dir, strict);
    int left = row.nth;
    const auto there = [&](const Told& told, const SystemCall& call) {
      return told.stage == row.stage && row.call(call) && --left == 0;
    };
    ASSERT_TRUE(KillWhere(there, *memory, dir, row.half, [&] { Story(*memory, options).Tell(); }));
    ExpectWhole(*memory, options);
  }
}

INSTANTIATE_TEST_SUITE_P(State, KillTable, ::testing::ValuesIn(kRows),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(Kill9, AtEveryCallOfAHistoryNothingToldIsLost) {
  test::WorkInMemory();
  const int step = EveryNth(5);
  int kills = 0;
  for (const bool half : {false, true}) {
    for (int n = 1;; n += step) {
      SCOPED_TRACE("call " + std::to_string(n) + (half ? ", half of it done" : ""));
      const test::TempDir dir;
      const Memory memory;
      const Options options = OptionsIn(dir, n % 4 == 0);
      int calls = 0;
      const auto there = [&](const Told&, const SystemCall& call) { return (!half || Writes(call)) && ++calls == n; };
      const bool killed = KillWhere(there, *memory, dir, half, [&] { Story(*memory, options).Tell(); });
      if (!killed) {
        break;
      }
      ++kills;
      ExpectWhole(*memory, options);
      ASSERT_FALSE(HasFailure());
    }
  }
  std::cout << kills << " kills\n";
  EXPECT_GT(kills, 50);
}

// The next process finds that many messages pending, and in the ledger so many that were lost; `tells` of a salvage.
void ExpectStored(const Options& options, std::size_t messages, std::uint64_t lost = 0, bool tells = false) {
  EXPECT_EQ(InAnotherProcess([&] {
              test::ManualClock clock;
              Result<std::unique_ptr<Queue>> queue = Open(options, clock);
              if (!queue) {
                std::cerr << queue.error().message << std::endl;
                _exit(1);
              }
              const std::size_t found = (*queue)->Peek("cloud", Lane::kNormal, 10, 1'000)->messages.size();
              const std::vector<std::string> gaps = *(*queue)->VerifyLedger();
              const std::uint64_t dropped = (*queue)->ReadLedger()->Total().dropped;
              const bool told = !tells || (*queue)->start().salvaged;
              const bool whole = found == messages && gaps.empty() && dropped == lost && told;
              if (!whole) {
                std::cerr << found << " messages, " << dropped << " lost" << (told ? "" : ", no word of a salvage")
                          << (gaps.empty() ? "" : "; " + gaps.front()) << std::endl;
              }
              _exit(whole ? 0 : 1);
            }),
            0);
}

// Kills the opening of the queue that `make` makes at each `step`-th call, before it and with half of a write done;
// what the next process must find says `expect`. How often it was killed.
int KillOpening(int step, const std::function<void(const Options&)>& make,
                const std::function<void(const Options&, bool killed)>& expect) {
  test::WorkInMemory();
  int kills = 0;
  for (const bool half : {false, true}) {
    bool killed = true;
    for (int n = 1; killed && !::testing::Test::HasFailure(); n += step) {
      SCOPED_TRACE("call " + std::to_string(n) + (half ? ", half of it done" : ""));
      const test::TempDir dir;
      const Memory memory;
      const Options options = OptionsIn(dir, false);
      make(options);
      int calls = 0;
      const auto there = [&](const Told&, const SystemCall& call) { return (!half || Writes(call)) && ++calls == n; };
      killed = KillWhere(there, *memory, dir, half, [&] {
        test::ManualClock clock;
        _exit(Open(options, clock) ? 0 : 1);
      });
      expect(options, killed);
      kills += killed ? 1 : 0;
    }
  }
  std::cout << kills << " kills\n";
  return kills;
}

// The file of an older release is brought up to date in one transaction.
TEST(Kill9, AtEveryCallOfAMigrationTheOldMessagesStay) {
  const auto make = [](const Options& options) { test::MakeQueueOfFormat10(options.path, 3); };
  EXPECT_GT(KillOpening(1, make, [](const Options& options, bool) { ExpectStored(options, 3); }), 10);
}

// Five segments with a message each; the first is broken, and somebody has noticed.
void MakeDamagedQueue(const Options& options) {
  ASSERT_EQ(InAnotherProcess([&] {
              test::ManualClock clock;
              const std::unique_ptr<Queue> queue = *Open(options, clock);
              for (int i = 0; i < 5; ++i) {
                RawMessage message;
                message.stream = *queue->Stream("telemetry");
                message.received_at = clock.Wall();
                static_cast<void>(queue->Append(std::move(message)));
                static_cast<void>(queue->VerifyLedger());  // waits for a checkpoint
              }
              queue->NoteDamage("a segment is broken");
              queue->Stop();
              Result<Database> database = Database::Open(options.path, Database::Mode::kReadWriteCreate);
              const Status broken = database->Execute(
                  "UPDATE segments SET blob = zeroblob(length(blob)) WHERE id = (SELECT min(id) FROM segments)");
              _exit(broken ? 0 : 1);
            }),
            0);
}

TEST(Kill9, AtEveryCallOfASalvageWhatIsReadableStaysAndWhatIsNotIsCounted) {
  const auto expect = [](const Options& options, bool killed) {
    ExpectStored(options, 4, 1, killed);
    EXPECT_GT(FileBytes(options.path + ".damaged"), 0U) << "the only original";
  };
  EXPECT_GT(KillOpening(EveryNth(5), MakeDamagedQueue, expect), 30);
}

}  // namespace
}  // namespace packhorse::queue
