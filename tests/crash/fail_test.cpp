// The system refuses one call of a history, each in turn, until there is none left to refuse.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "another_process.h"
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
  setenv("TMPDIR", "/dev/shm", 0);
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
      SystemCalls::Watch(dir.path(), [&](const SystemCall& call) { return ++calls == n ? ErrorOf(call.kind) : 0; });
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

}  // namespace
}  // namespace packhorse::queue
