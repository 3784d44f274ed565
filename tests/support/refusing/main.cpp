// The daemon on a system that refuses it one socket: the one whose number PACKHORSE_REFUSED_SOCKET says, counted over
// all its threads and libraries, as a process is refused that has too many files open.

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "packhorsed/daemon.h"
#include "system_calls.h"

int main(int argc, char** argv) {
  using packhorse::test::CallKind;
  using packhorse::test::SystemCall;
  const char* number = std::getenv("PACKHORSE_REFUSED_SOCKET");
  const int refused = number == nullptr ? 0 : std::atoi(number);
  int sockets = 0;
  packhorse::test::SystemCalls::Watch("/no/such/folder", [&](const SystemCall& call) {
    if (call.kind != CallKind::kSocket || ++sockets != refused) {
      return 0;
    }
    std::fprintf(stderr, "socket %d refused\n", refused);
    return EMFILE;
  });
  return packhorse::daemon::Main(packhorse::daemon::ParseCommandLine(argc, argv));
}
