#include "base/file.h"
#include "packhorsed/daemon.h"

int main(int argc, char** argv) {
  packhorse::ReserveStandardFds();
  return packhorse::daemon::Main(packhorse::daemon::ParseCommandLine(argc, argv));
}
