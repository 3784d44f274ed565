// The daemon on a system that refuses it what the environment says:
// PACKHORSE_REFUSED_SOCKET=N: the N-th socket, counted over all its threads and libraries, as a process is refused that
// has too many files open.
// PACKHORSE_MEDIUM=FOLDER: while there is a file FOLDER.refuses, all that writes below the folder, with the error that
// the file names. What is only read goes on, as on a medium that turned read-only.

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>

#include "packhorsed/daemon.h"
#include "system_calls.h"

namespace {

using packhorse::test::CallKind;
using packhorse::test::SystemCall;

// 0: the medium takes writes.
int ErrorOfMedium(const std::string& file) {
  static const std::map<std::string, int> kErrors = {
      {"EROFS", EROFS}, {"EACCES", EACCES}, {"EPERM", EPERM}, {"EIO", EIO}, {"ENOSPC", ENOSPC}};
  std::string name;
  std::ifstream(file) >> name;
  const auto found = kErrors.find(name);
  return found == kErrors.end() ? 0 : found->second;
}

bool Writes(const SystemCall& call) {
  return call.kind == CallKind::kOpen ? call.writes : call.kind != CallKind::kMap && call.kind != CallKind::kStore;
}

}  // namespace

int main(int argc, char** argv) {
  const char* number = std::getenv("PACKHORSE_REFUSED_SOCKET");
  const char* medium = std::getenv("PACKHORSE_MEDIUM");
  const int refused = number == nullptr ? 0 : std::atoi(number);
  const std::string folder = medium == nullptr ? "/no/such/folder" : medium;
  int sockets = 0;
  packhorse::test::SystemCalls::Watch(folder, [&](const SystemCall& call) {
    if (call.kind != CallKind::kSocket) {
      return Writes(call) ? ErrorOfMedium(folder + ".refuses") : 0;
    }
    if (++sockets != refused) {
      return 0;
    }
    std::fprintf(stderr, "socket %d refused\n", refused);
    return EMFILE;
  });
  return packhorse::daemon::Main(packhorse::daemon::ParseCommandLine(argc, argv));
}
