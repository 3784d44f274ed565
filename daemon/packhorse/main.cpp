#include "base/file.h"
#include "packhorse/cli.h"

int main(int argc, char** argv) {
  packhorse::ReserveStandardFds();
  return packhorse::cli::Main(argc, argv);
}
