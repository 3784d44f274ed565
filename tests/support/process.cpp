#include "support/process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <stdexcept>
#include <thread>
#include <utility>

#include "base/file.h"

namespace packhorse::test {
namespace {

using Steady = std::chrono::steady_clock;

struct Spawn {
  std::vector<std::string> argv;
  std::vector<std::string> environment;
  int in = -1;
  int out = -1;
  int err = -1;
};

std::vector<std::string> Environment(const std::map<std::string, std::string>& extra) {
  std::vector<std::string> all;
  for (const char* name : {"PATH", "HOME", "TMPDIR", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"}) {
    const char* value = std::getenv(name);
    if (value != nullptr && !extra.contains(name)) {
      all.push_back(std::string(name) + "=" + value);
    }
  }
  for (const auto& [name, value] : extra) {
    all.push_back(name + "=" + value);
  }
  return all;
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) {
    pointers.push_back(text.data());
  }
  pointers.push_back(nullptr);
  return pointers;
}

pid_t Start(Spawn spawn) {
  std::vector<char*> argv = Pointers(spawn.argv);
  std::vector<char*> environment = Pointers(spawn.environment);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) {
    throw std::runtime_error("fork failed");
  }
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
      _exit(127);
    }
    dup2(spawn.in, 0);
    dup2(spawn.out, 1);
    dup2(spawn.err, 2);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    execvpe(argv[0], argv.data(), environment.data());
    _exit(127);
  }
  return pid;
}

int ExitCode(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

Fd OpenNull() { return Fd(open("/dev/null", O_RDWR | O_CLOEXEC)); }

}  // namespace

Process::Process(const std::vector<std::string>& argv, const std::string& output_file,
                 const std::map<std::string, std::string>& environment) {
  const Fd null = OpenNull();
  const Fd out(open(output_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  pid_ = Start(Spawn{argv, Environment(environment), null.get(), out.get(), out.get()});
}

Process::~Process() { Kill(); }

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), exit_code_(std::exchange(other.exit_code_, std::nullopt)) {}

Process& Process::operator=(Process&& other) noexcept {
  if (this != &other) {
    Kill();
    pid_ = std::exchange(other.pid_, -1);
    exit_code_ = std::exchange(other.exit_code_, std::nullopt);
  }
  return *this;
}

bool Process::Running() { return !Wait(std::chrono::milliseconds(0)).has_value(); }

void Process::Signal(int signal) const {
  if (pid_ > 0 && !exit_code_) {
    kill(pid_, signal);
  }
}

std::optional<int> Process::Wait(std::chrono::milliseconds timeout) {
  const auto deadline = Steady::now() + timeout;
  while (!exit_code_ && pid_ > 0) {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      exit_code_ = ExitCode(status);
      break;
    }
    if (Steady::now() >= deadline) {
      return std::nullopt;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return exit_code_.value_or(0);
}

int Process::Stop(std::chrono::milliseconds grace) {
  Signal(SIGTERM);
  if (const std::optional<int> code = Wait(grace)) {
    return *code;
  }
  Kill();
  return exit_code_.value_or(0);
}

void Process::Kill() {
  if (pid_ > 0 && !exit_code_) {
    kill(pid_, SIGKILL);
    int status = 0;
    waitpid(pid_, &status, 0);
    exit_code_ = ExitCode(status);
  }
}

RunResult Run(const std::vector<std::string>& argv, const std::string& input,
              const std::map<std::string, std::string>& environment, std::chrono::milliseconds timeout) {
  std::array<std::array<int, 2>, 3> pipes{};
  for (auto& ends : pipes) {
    if (pipe2(ends.data(), O_CLOEXEC) != 0) {
      throw std::runtime_error("pipe failed");
    }
  }
  const pid_t pid = Start(Spawn{argv, Environment(environment), pipes[0][0], pipes[1][1], pipes[2][1]});
  close(pipes[0][0]);
  close(pipes[1][1]);
  close(pipes[2][1]);
  std::thread writer([fd = pipes[0][1], &input] {
    std::size_t done = 0;
    while (done < input.size()) {
      const ssize_t n = write(fd, input.data() + done, input.size() - done);
      if (n <= 0) {
        break;
      }
      done += static_cast<std::size_t>(n);
    }
    close(fd);
  });
  RunResult result;
  const auto deadline = Steady::now() + timeout;
  std::array<pollfd, 2> fds = {pollfd{pipes[1][0], POLLIN, 0}, pollfd{pipes[2][0], POLLIN, 0}};
  bool killed = false;
  while (fds[0].fd >= 0 || fds[1].fd >= 0) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Steady::now()).count();
    if (left <= 0 && !killed) {
      kill(pid, SIGKILL);
      killed = true;
    }
    poll(fds.data(), fds.size(), killed ? 100 : static_cast<int>(left));
    for (std::size_t i = 0; i < fds.size(); ++i) {
      if (fds[i].fd < 0 || fds[i].revents == 0) {
        continue;
      }
      std::array<char, 65536> chunk{};
      const ssize_t n = read(fds[i].fd, chunk.data(), chunk.size());
      if (n <= 0) {
        fds[i].fd = -1;
        continue;
      }
      (i == 0 ? result.out : result.err).append(chunk.data(), static_cast<std::size_t>(n));
    }
    if (killed && left < -1000) {
      break;
    }
  }
  int status = 0;
  waitpid(pid, &status, 0);
  writer.join();
  close(pipes[1][0]);
  close(pipes[2][0]);
  result.exit_code = ExitCode(status);
  return result;
}

int FreePort() {
  // Below those that the system gives to outgoing connections: one of them may take such a port before it is listened
  // to.
  constexpr unsigned kFirst = 10'000;
  constexpr unsigned kCount = 20'000;
  std::random_device random;
  for (int attempt = 0; attempt < 100; ++attempt) {
    const Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(kFirst + random() % kCount));
    if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
      return ntohs(address.sin_port);
    }
  }
  throw std::runtime_error("no free port");
}

bool PortOpen(int port) {
  const Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

bool WaitFor(const std::function<bool()>& condition, std::chrono::milliseconds timeout) {
  const auto deadline = Steady::now() + timeout;
  while (!condition()) {
    if (Steady::now() >= deadline) {
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::error_code unknown;  // of a pipe, and it is 0 for what the kernel makes up
  const std::uintmax_t size = std::filesystem::file_size(path, unknown);
  const std::size_t chunk = (unknown ? 0 : size) + 4'096;
  std::string text;
  while (file) {
    const std::size_t end = text.size();
    text.resize(end + chunk);
    file.read(text.data() + end, static_cast<std::streamsize>(chunk));
    text.resize(end + static_cast<std::size_t>(file.gcount()));
  }
  return text;
}

void WriteAll(const std::string& path, const std::string& bytes, unsigned mode) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  chmod(path.c_str(), mode);
}

}  // namespace packhorse::test
