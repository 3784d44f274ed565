#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace packhorse::test {

// A child process with its output in a file. Killed (SIGKILL) and reaped at the latest by the destructor; also ends
// when this process dies (PR_SET_PDEATHSIG). Not thread-safe.
class Process {
 public:
  // Runs argv[0] (searched in PATH). Standard output and error go to `output_file` (appended). The environment is the
  // given one plus PATH, HOME and TMPDIR; nothing else leaks in from the machine.
  Process(const std::vector<std::string>& argv, const std::string& output_file,
          const std::map<std::string, std::string>& environment = {});
  ~Process();
  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  bool Running();
  void Signal(int signal) const;
  // Waits for the end; the exit code, or 128 + signal. None on time-out (then it still runs).
  std::optional<int> Wait(std::chrono::milliseconds timeout);
  // SIGTERM, then after `grace` SIGKILL. The exit code as above.
  int Stop(std::chrono::milliseconds grace = std::chrono::seconds(10));
  // SIGKILL and reap.
  void Kill();

 private:
  pid_t pid_ = -1;
  std::optional<int> exit_code_;
};

struct RunResult {
  int exit_code = -1;
  std::string out;  // standard output
  std::string err;
};
// Runs a command to its end with `input` on standard input; kills it at the time-out (exit code 137).
RunResult Run(const std::vector<std::string>& argv, const std::string& input = "",
              const std::map<std::string, std::string>& environment = {},
              std::chrono::milliseconds timeout = std::chrono::seconds(30));

// A TCP port on 127.0.0.1 that nobody listens on at this moment.
int FreePort();
// Whether something accepts connections there.
bool PortOpen(int port);

// Asks until it holds or the time is over; true when it held. Polls every 10 ms.
bool WaitFor(const std::function<bool()>& condition, std::chrono::milliseconds timeout = std::chrono::seconds(20));

std::string ReadAll(const std::string& path);
void WriteAll(const std::string& path, const std::string& bytes, unsigned mode = 0644);

}  // namespace packhorse::test
