#include "config/files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include "base/file.h"
#include "base/units.h"

namespace packhorse::config {
namespace {

std::string Octal(mode_t mode) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%04o", static_cast<unsigned>(mode) & 07777U);
  return text.data();
}

// Root writes it, the service reads it. Never to the group of a file that is root's: that would be of no use.
std::string Mend(const std::string& path) { return "chown root:packhorse " + path + " && chmod 0640 " + path; }

FileProblem NotAccessible(const std::string& path, int number) {
  const bool denied = number == EACCES || number == EPERM;
  return FileProblem{number == ENOENT ? "this file does not exist"
                                      : "this file cannot be opened: " + std::system_category().message(number),
                     denied ? "a file, in folders, that the service's user can read: " + Mend(path) : ""};
}

}  // namespace

std::optional<FileProblem> CheckFile(const std::string& path, std::uint64_t max_bytes, bool secret) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) {
    return NotAccessible(path, errno);
  }
  if (!S_ISREG(status.st_mode)) {
    return FileProblem{S_ISDIR(status.st_mode) ? "this is a directory" : "this is not a regular file",
                       "a regular file"};
  }
  if (secret && (status.st_mode & S_IRWXO) != 0) {
    return FileProblem{"this secret is open to every user of the machine (mode " + Octal(status.st_mode) + ")",
                       "mode 0640, of root and the group of the service: " + Mend(path)};
  }
  if (status.st_size == 0) {
    return FileProblem{"this file is empty", ""};
  }
  if (static_cast<std::uint64_t>(status.st_size) > max_bytes) {
    return FileProblem{"this file is too large: " + FormatBytes(static_cast<std::uint64_t>(status.st_size)),
                       "at most " + FormatBytes(max_bytes)};
  }
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) {
    return NotAccessible(path, errno);
  }
  return std::nullopt;
}

std::optional<FileProblem> CheckPemFile(const std::string& path, bool secret) {
  if (std::optional<FileProblem> problem = CheckFile(path, kMaxPemBytes, secret)) {
    return problem;
  }
  const Result<std::string> text = ReadFile(path, kMaxPemBytes);
  if (!text) {
    return FileProblem{text.error().message, ""};
  }
  if (text->find("-----BEGIN ") == std::string::npos) {
    return FileProblem{"this file is not in PEM form", "text with a line that starts with -----BEGIN"};
  }
  return std::nullopt;
}

}  // namespace packhorse::config
