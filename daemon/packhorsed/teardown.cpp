#include "packhorsed/teardown.h"

#include <unistd.h>

#include <csignal>

namespace packhorse::daemon {
namespace {

volatile std::sig_atomic_t g_exit_code = 0;

extern "C" void EndNow(int) { _exit(g_exit_code); }

}  // namespace

void EndWithin(unsigned seconds, int exit_code) {
  g_exit_code = exit_code;
  std::signal(SIGALRM, EndNow);
  alarm(seconds);
}

}  // namespace packhorse::daemon
