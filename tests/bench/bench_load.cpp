// The publisher of the benchmarks as a process of its own: bench_load PORT MESSAGES PER_SECOND
#include <cstdlib>

#include "bench/load.h"
#include "bench/meter.h"

int main(int argc, char** argv) {
  if (argc != 4) {
    packhorse::bench::Fail("Usage: bench_load PORT MESSAGES PER_SECOND");
  }
  packhorse::bench::Publish(std::atoi(argv[1]), std::strtoull(argv[2], nullptr, 10),
                            std::strtoull(argv[3], nullptr, 10));
  return 0;
}
