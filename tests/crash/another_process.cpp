#include "another_process.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <string>

namespace packhorse::queue {

Memory::Memory() : told_(mmap(nullptr, sizeof(Told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {}
Memory::~Memory() { munmap(told_, sizeof(Told)); }

int InAnotherProcess(const std::function<void()>& work) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);
    work();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

Options OptionsIn(const test::TempDir& dir, bool strict) {
  Options options;
  options.path = dir / "var/queue.db";
  options.runtime_dir = dir / "run";
  options.strict = strict;
  options.journal_bytes = 64U << 10U;
  options.streams = {{"telemetry", Lane::kNormal, {"cloud"}}};
  options.destinations = {"cloud"};
  return options;
}

int EveryNth(int otherwise) {
  const char* every = std::getenv("PACKHORSE_EVERY");
  return every == nullptr ? otherwise : std::atoi(every);
}

void ExpectWhole(Told& told, Options options) {
  if (told.lake) {
    options.streams.front().destinations.emplace_back("lake");
    options.destinations.emplace_back("lake");
  }
  EXPECT_EQ(InAnotherProcess([&] {
              const std::string wrong = Story(told, options).Check();
              if (!wrong.empty()) {
                std::cerr << wrong << std::endl;
                _exit(1);
              }
            }),
            0);
}

}  // namespace packhorse::queue
