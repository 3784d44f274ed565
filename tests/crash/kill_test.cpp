// kill -9 of the queue, one row per state, and at every single call of a history.

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <optional>

#include "old_queue.h"
#include "story.h"
#include "support/temp_dir.h"
#include "system_calls.h"

namespace packhorse::queue {
namespace {

using test::CallKind;
using test::SystemCall;
using test::SystemCalls;

bool Holds(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }
bool InJournal(const SystemCall& call) { return call.kind == CallKind::kWrite && Holds(call.path, "/intake."); }
bool InLog(const SystemCall& call) { return call.kind == CallKind::kWrite && Holds(call.path, "-wal"); }
bool InDatabase(const SystemCall& call) { return call.kind == CallKind::kWrite && call.path.ends_with("queue.db"); }
bool SyncsLog(const SystemCall& call) { return call.kind == CallKind::kSync && Holds(call.path, "-wal"); }
bool TurnsJournal(const SystemCall& call) { return InJournal(call) && call.offset == 0; }
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
    {"JournalTurnHalfDone", Stage::kFolding, TurnsJournal, 1, true},
    {"CommitNotBegun", Stage::kFolding, InLog},
    {"CommitHalfWritten", Stage::kFolding, InLog, 2, true},
    {"CommitNotSynced", Stage::kFolding, SyncsLog},
    {"BatchNotFrozen", Stage::kFreezing, InJournal},
    {"BatchHalfFrozen", Stage::kFreezing, InJournal, 1, true},
    {"BatchFrozenMaybeSent", Stage::kFrozen, Any},
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
    {"FullJournalTurnedNotCommitted", Stage::kFilling, SyncsLog},
    {"LastCommitNotSynced", Stage::kEnding, SyncsLog},
    {"LogHalfCopiedBack", Stage::kEnding, InDatabase, 2, true},
};

// What the process was told, in memory that outlives it.
class Memory {
 public:
  Memory() : told_(mmap(nullptr, sizeof(Told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {}
  ~Memory() { munmap(told_, sizeof(Told)); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  Told& operator*() const { return *static_cast<Told*>(told_); }

 private:
  void* told_;
};

[[noreturn]] void KillAt(const SystemCall& call, bool half) {
  if (half) {
    static_cast<void>(!pwrite(call.fd, call.bytes.data(), call.bytes.size() / 2, static_cast<off_t>(call.offset)));
  }
  kill(getpid(), SIGKILL);
  _exit(1);
}

// How a process ended: 0 well, 1 with a complaint, 128 + a signal.
int InAnotherProcess(const std::function<void()>& work) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);
    work();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

Options OptionsIn(const test::TempDir& dir, bool strict) {
  Options options;
  options.path = dir / "var/queue.db";
  options.runtime_dir = dir / "run";
  options.strict = strict;
  options.journal_bytes = 64U << 10U;
  options.streams = {{"telemetry", Lane::kNormal, {"cloud"}}};
  options.destinations = {"cloud"};
  return options;
}

void ExpectWhole(Told& told, Options options) {
  if (told.lake) {
    options.streams.front().destinations.emplace_back("lake");
    options.destinations.emplace_back("lake");
  }
  EXPECT_EQ(InAnotherProcess([&] {
              const std::string wrong = Story(told, options).Check();
              if (!wrong.empty()) {
                std::cerr << wrong << std::endl;
                _exit(1);
              }
            }),
            0);
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
  setenv("TMPDIR", "/dev/shm", 0);
  const char* every = std::getenv("PACKHORSE_EVERY");  // 1: each of them
  const int step = every == nullptr ? 3 : std::atoi(every);
  int kills = 0;
  for (const bool half : {false, true}) {
    for (int n = 1;; n += step) {
      SCOPED_TRACE("call " + std::to_string(n) + (half ? ", half of it done" : ""));
      const test::TempDir dir;
      const Memory memory;
      const Options options = OptionsIn(dir, n % 4 == 0);
      int calls = 0;
      const auto there = [&](const Told&, const SystemCall& call) {
        return (!half || call.kind == CallKind::kWrite) && ++calls == n;
      };
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

// The file of an older release is brought up to date in one transaction.
TEST(Kill9, AtEveryCallOfAMigrationTheOldMessagesStay) {
  setenv("TMPDIR", "/dev/shm", 0);
  constexpr std::size_t kMessages = 3;
  int kills = 0;
  bool half = false;
  for (int n = 1;; ++n) {
    SCOPED_TRACE("call " + std::to_string(n) + (half ? ", half of it done" : ""));
    const test::TempDir dir;
    const Memory memory;
    const Options options = OptionsIn(dir, false);
    test::MakeQueueOfFormat10(options.path, static_cast<int>(kMessages));
    int calls = 0;
    const auto there = [&](const Told&, const SystemCall& call) {
      return (!half || call.kind == CallKind::kWrite) && ++calls == n;
    };
    const auto open = [&] {
      test::ManualClock clock;
      _exit(Open(options, clock) ? 0 : 1);
    };
    if (!KillWhere(there, *memory, dir, half, open)) {
      if (half) {
        break;
      }
      half = true;
      n = 0;
      continue;
    }
    ++kills;
    EXPECT_EQ(InAnotherProcess([&] {
                test::ManualClock clock;
                Result<std::unique_ptr<Queue>> queue = Open(options, clock);
                if (!queue) {
                  std::cerr << queue.error().message << std::endl;
                  _exit(1);
                }
                const std::size_t messages = (*queue)->Peek("cloud", Lane::kNormal, 10, 1'000)->messages.size();
                const std::vector<std::string> gaps = *(*queue)->VerifyLedger();
                const bool whole = messages == kMessages && gaps.empty();
                if (!whole) {
                  std::cerr << messages << " messages" << (gaps.empty() ? "" : "; " + gaps.front()) << std::endl;
                }
                _exit(whole ? 0 : 1);
              }),
              0);
    ASSERT_FALSE(HasFailure());
  }
  EXPECT_GT(kills, 10);
}

}  // namespace
}  // namespace packhorse::queue
