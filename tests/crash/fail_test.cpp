// The system refuses one call of a history, each in turn, until there is none left to refuse; or all that writes.

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <iostream>

#include "another_process.h"
#include "support/process.h"
#include "support/temp_dir.h"
#include "system_calls.h"

namespace packhorse::queue {
namespace {

using test::CallKind;
using test::SystemCall;
using test::SystemCalls;

// As the system says it of each kind of call.
int ErrorOf(CallKind kind) {
  switch (kind) {
    case CallKind::kOpen:
    case CallKind::kSocket:
      return EMFILE;
    case CallKind::kMap:
      return ENOMEM;
    case CallKind::kAllocate:
    case CallKind::kMkdir:
      return ENOSPC;
    default:
      return EIO;
  }
}

// An answer may be an error, and the process may end with it: but what it was told before holds, and the next one
// works.
TEST(RefusedCall, AtEveryCallOfAHistoryNothingToldIsLost) {
  test::WorkInMemory();
  const int step = EveryNth(5);
  int refused = 0;
  int survived = 0;
  for (int n = 1;; n += step) {
    SCOPED_TRACE("call " + std::to_string(n) + " refused");
    const test::TempDir dir;
    const Memory memory;
    const Options options = OptionsIn(dir, n % 4 == 0);
    const int end = InAnotherProcess([&] {
      // What it complains of is expected.
      static_cast<void>(!std::freopen("/dev/null", "w", stderr));
      int calls = 0;
      SystemCalls::Watch(dir.path(), [&](const SystemCall& call) {
        return call.kind != CallKind::kStore && ++calls == n ? ErrorOf(call.kind) : 0;
      });
      Story(*memory, options).Tell();
      _exit(calls >= n ? 0 : 2);
    });
    ASSERT_TRUE(end == 0 || end == 1 || end == 2) << "it ended with " << end;
    ExpectWhole(*memory, options);
    ASSERT_FALSE(HasFailure());
    if (end == 2) {
      break;
    }
    ++refused;
    survived += end == 0 ? 1 : 0;
  }
  std::cout << refused << " calls refused, in " << survived << " of them the process went on\n";
  EXPECT_GT(survived, refused / 2);
}

// As when the medium turns read-only between the question whether it takes writes and the open, for which SQLite then
// falls back to reading.
TEST(RefusedCall, ADatabaseOpenedForReadingOnlyIsOpenedAnewOnceItTakesWrites) {
  const test::TempDir dir;
  const int end = InAnotherProcess([&] {
    std::atomic<bool> read_only = false;
    SystemCalls::Watch(dir.path(), [&](const SystemCall& call) {
      const bool asked = call.kind == CallKind::kAccess || call.path.ends_with(".lock");
      const bool writes = call.kind == CallKind::kOpen ? call.writes : call.kind != CallKind::kMap;
      return read_only && writes && !asked && call.path.find("queue.db") != std::string::npos ? EROFS : 0;
    });
    const test::ManualClock clock;
    const Result<std::unique_ptr<Queue>> opened = Open(OptionsIn(dir, true), clock);
    Queue& queue = **opened;
    RawMessage message;
    message.stream = *queue.Stream("telemetry");
    read_only = true;
    std::future<bool> stored = std::async(std::launch::async, [&] { return queue.Append(message).has_value(); });
    const bool told =
        test::WaitFor([&] { return queue.Snapshot().last_error.find("readonly database") != std::string::npos; });
    read_only = false;
    const bool ended = stored.wait_for(std::chrono::seconds(20)) == std::future_status::ready;
    _exit(!told ? 2 : !ended ? 3 : stored.get() ? 0 : 4);
  });
  EXPECT_EQ(end, 0);
}

// SQLite syncs the folder of a new file and goes on when that fails: a power cut would take the whole queue, with all
// that was acknowledged.
TEST(RefusedCall, AFolderThatCannotBeSyncedRefusesTheStart) {
  const test::TempDir dir;
  const std::string folder = dir / "var";
  const int end = InAnotherProcess([&] {
    SystemCalls::Watch(dir.path(), [&](const SystemCall& call) {
      return call.kind == CallKind::kSync && call.path == folder ? EIO : 0;
    });
    Options options = OptionsIn(dir, true);
    options.path = folder + "/queue.db";
    const test::ManualClock clock;
    const Result<std::unique_ptr<Queue>> opened = Open(options, clock);
    _exit(opened ? 1 : opened.error().message.find(folder) == std::string::npos ? 2 : 0);
  });
  EXPECT_EQ(end, 0);
}

}  // namespace
}  // namespace packhorse::queue
