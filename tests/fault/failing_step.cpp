#include "failing_step.h"

#include <sqlite3.h>

#include <atomic>

namespace packhorse::test {
namespace {

std::atomic<int> left{0};  // steps until the one that fails; 0 and below: none
std::atomic<int> result{SQLITE_OK};
std::atomic<bool> failed{false};

}  // namespace

void FailingStep::FailNth(int n, int code) {
  failed = false;
  result = code;
  left = n;
}

void FailingStep::Heal() { left = 0; }

bool FailingStep::Failed() { return failed; }

}  // namespace packhorse::test

// By the linker (--wrap): only the product's own calls come here, not those that the library makes of itself.
extern "C" int __real_sqlite3_step(sqlite3_stmt* statement);
extern "C" int __wrap_sqlite3_step(sqlite3_stmt* statement) {
  using packhorse::test::failed;
  using packhorse::test::left;
  if (left > 0 && left.fetch_sub(1) == 1) {
    failed = true;
    return packhorse::test::result;
  }
  return __real_sqlite3_step(statement);
}
