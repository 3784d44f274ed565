#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "auth/secret.h"
#include "base/file.h"
#include "base/mask.h"

namespace packhorse::auth {
namespace {

constexpr std::size_t kMaxBytes = 65'536;

// What is wrong with a secret is told without telling anything of it.
Result<Secret> Checked(std::string_view text, const std::string& place, bool document) {
  if (text.size() > kMaxBytes) {
    return Error{ErrorCode::kLimitExceeded, place + " is larger than 64 KiB; a secret is expected there"};
  }
  if (!text.empty() && text.back() == '\n') {
    text.remove_suffix(1);
  }
  if (text.empty()) {
    return Error{ErrorCode::kInvalidArgument, place + " is empty"};
  }
  if (text.starts_with("\xEF\xBB\xBF")) {
    return Error{ErrorCode::kInvalidArgument,
                 place + " begins with a byte order mark, as written on Windows; save it as UTF-8 without it"};
  }
  if (text.find('\0') != std::string_view::npos) {
    return Error{ErrorCode::kInvalidArgument, place + " contains a NUL byte; a secret is one line of text"};
  }
  if (document) {
    return Secret(std::string(text));
  }
  if (text.find('\r') != std::string_view::npos) {
    return Error{ErrorCode::kInvalidArgument,
                 place + " contains a carriage return (CR), as written on Windows; remove it"};
  }
  if (text.find('\n') != std::string_view::npos) {
    return Error{ErrorCode::kInvalidArgument, place + " contains more than one line; a secret is one line"};
  }
  return Secret(std::string(text));
}

Status CheckFile(int fd, const std::string& path, const std::string& place) {
  struct stat about {};
  if (fstat(fd, &about) != 0) {
    return ErrnoError("examine " + place, errno);
  }
  if (!S_ISREG(about.st_mode)) {
    return Error{ErrorCode::kInvalidArgument, place + " is not a regular file"};
  }
  if ((about.st_mode & (S_IROTH | S_IWOTH)) != 0) {
    return Error{
        ErrorCode::kPermissionDenied,
        place + " can be read or written by every user; run: chown root:packhorse " + path + " && chmod 0640 " + path};
  }
  return {};
}

Result<Secret> ReadFrom(const std::string& path, const std::string& place, bool document) {
  // Non-blocking, so that a FIFO in the way cannot stop the loop.
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd.valid()) {
    return ErrnoError("open " + place, errno);
  }
  RETURN_IF_ERROR(CheckFile(fd.get(), path, place));
  std::string buffer(kMaxBytes + 1, '\0');
  std::size_t used = 0;
  while (used < buffer.size()) {
    const ssize_t n = read(fd.get(), buffer.data() + used, buffer.size() - used);
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n < 0) {
      const int number = errno;
      OPENSSL_cleanse(buffer.data(), used);
      return ErrnoError("read " + place, number);
    }
    if (n == 0) {
      break;
    }
    used += static_cast<std::size_t>(n);
  }
  Result<Secret> secret = Checked(std::string_view(buffer).substr(0, used), place, document);
  OPENSSL_cleanse(buffer.data(), used);
  return secret;
}

Result<Secret> ReadVariable(const std::string& name, bool document) {
  const std::string place = "environment variable " + name;
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) {
    return Error{ErrorCode::kNotFound, place + " is not set; Environment= or EnvironmentFile= of the unit sets it"};
  }
  return Checked(value, place, document);
}

// systemd puts the files of LoadCredential= and SetCredential= into the folder that this variable names
// (systemd.exec(5)).
Result<Secret> ReadCredential(const std::string& name, bool document) {
  const std::string place = "credential " + name;
  if (name.find('/') != std::string::npos || name == "." || name == "..") {
    return Error{ErrorCode::kInvalidArgument, place + ": a credential has a name, not a path"};
  }
  const char* folder = std::getenv("CREDENTIALS_DIRECTORY");
  if (folder == nullptr || *folder == '\0') {
    return Error{ErrorCode::kNotFound, place + ": systemd gave no credentials to this process; add LoadCredential=" +
                                           name + ":PATH to the unit"};
  }
  const std::string path = std::string(folder) + "/" + name;
  return ReadFrom(path, place + " (" + path + ")", document);
}

Result<Secret> ReadFromPlace(const SecretSource& source) {
  if (source.kind == SecretSource::Kind::kNone) {
    return Error{ErrorCode::kInvalidArgument, "no place is configured for a secret"};
  }
  if (source.name.empty() || source.name.find('\0') != std::string::npos) {
    return Error{ErrorCode::kInvalidArgument, "the place of a secret has an empty name or a NUL byte in it"};
  }
  switch (source.kind) {
    case SecretSource::Kind::kFile:
      return ReadFrom(source.name, "secret file " + source.name, source.document);
    case SecretSource::Kind::kEnv:
      return ReadVariable(source.name, source.document);
    case SecretSource::Kind::kCredential:
      return ReadCredential(source.name, source.document);
    case SecretSource::Kind::kNone:
      break;
  }
  return Error{ErrorCode::kInternal, "unknown kind of secret source"};
}

// Where the bytes of a source lie; empty: in no file.
std::string PathOf(const SecretSource& source) {
  if (source.kind == SecretSource::Kind::kFile) {
    return source.name;
  }
  const char* folder = std::getenv("CREDENTIALS_DIRECTORY");
  return source.kind == SecretSource::Kind::kCredential && folder != nullptr ? std::string(folder) + "/" + source.name
                                                                             : "";
}

}  // namespace

std::string StampOf(const SecretSource& source) {
  const std::string path = PathOf(source);
  struct stat about {};
  if (path.empty() || stat(path.c_str(), &about) != 0) {
    return "";
  }
  std::string stamp = std::to_string(about.st_dev) + "." + std::to_string(about.st_ino);
  for (const auto number :
       {static_cast<std::int64_t>(about.st_size), static_cast<std::int64_t>(about.st_mode),
        static_cast<std::int64_t>(about.st_mtim.tv_sec), static_cast<std::int64_t>(about.st_mtim.tv_nsec),
        static_cast<std::int64_t>(about.st_ctim.tv_sec), static_cast<std::int64_t>(about.st_ctim.tv_nsec)}) {
    stamp += "." + std::to_string(number);
  }
  return stamp;
}

Result<Secret> ReadSecret(const SecretSource& source) {
  Result<Secret> secret = ReadFromPlace(source);
  if (secret) {
    RememberSecret(secret->Reveal());
  }
  return secret;
}

}  // namespace packhorse::auth
