#include "packhorsed/daemon.h"

int main(int argc, char** argv) { return packhorse::daemon::Main(packhorse::daemon::ParseCommandLine(argc, argv)); }
