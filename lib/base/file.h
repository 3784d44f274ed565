#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace packhorse {

// Owns one file descriptor and closes it. Not thread-safe.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() { Close(); }
  Fd(Fd&& other) noexcept : fd_(other.Release()) {}
  Fd& operator=(Fd&& other) noexcept;
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int Release();
  void Close();

 private:
  int fd_ = -1;
};

// Opens what is closed of standard input, output and error on /dev/null, so that nothing else that is opened gets its
// number and what is meant for it. First of all in a program.
void ReserveStandardFds();

// The whole file, at most `max_bytes`; a larger one is kLimitExceeded. The message names the path.
Result<std::string> ReadFile(const std::string& path, std::size_t max_bytes);

// Replaces `path` by a file with these bytes and mode: temporary file, fsync, rename, fsync of the directory.
Status WriteFileAtomically(const std::string& path, std::string_view bytes, unsigned mode);

// The folder in which `path` lies; "." where it names none.
std::string FolderOf(const std::string& path);

// Where the file is, once every symbolic link at the end of `path` is followed; it need not exist. Links to folders on
// the way stay: whoever opens a file follows them.
std::string FollowLinks(std::string path);

// Makes what is in the file last.
Status SyncFile(const std::string& path);

// Makes it last that `path` was made, renamed or removed in its directory.
Status SyncDirectoryOf(const std::string& path);

// Where there is no `from`, it was done before.
Status RenameIfThere(const std::string& from, const std::string& to);

// Whether `path` leads to the file that is open.
bool LeadsTo(const std::string& path, const Fd& file);

// Size in bytes; 0 when there is no such file.
std::uint64_t FileBytes(const std::string& path);
bool Exists(const std::string& path);
// What is free for us on the file system of `path`, which need not exist, its folder must; 0 when that cannot be told.
std::uint64_t FreeBytesAt(const std::string& path);

// Whether `path` lies on a file system in memory.
bool OnTmpfs(const std::string& path);

}  // namespace packhorse
