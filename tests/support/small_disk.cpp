#include "support/small_disk.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "support/process.h"

namespace packhorse::test {
namespace {

[[noreturn]] void Fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what + " (run the tests as root, or allow user namespaces)");
}

void LeaveTheOthersMounts() {
  const std::string user = std::to_string(geteuid());
  const std::string group = std::to_string(getegid());
  if (unshare(CLONE_NEWNS) != 0) {
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
      Fail("make a mount namespace");
    }
    WriteAll("/proc/self/setgroups", "deny");
    WriteAll("/proc/self/uid_map", user + " " + user + " 1");
    WriteAll("/proc/self/gid_map", group + " " + group + " 1");
  }
  if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    Fail("keep mounts to ourselves");
  }
}

}  // namespace

SmallDisk::SmallDisk(std::string folder, std::uint64_t bytes) : folder_(std::move(folder)) {
  LeaveTheOthersMounts();
  const std::string options = "mode=0755,size=" + std::to_string(bytes);
  if (mount("none", folder_.c_str(), "tmpfs", 0, options.c_str()) != 0) {
    Fail("mount a small file system at " + folder_);
  }
}

SmallDisk::~SmallDisk() { umount2(folder_.c_str(), MNT_DETACH); }

std::uint64_t SmallDisk::free_bytes() const {
  struct statvfs status {};
  if (statvfs(folder_.c_str(), &status) != 0) {
    Fail("look at " + folder_);
  }
  return status.f_bavail * status.f_frsize;
}

void SmallDisk::Fill(std::uint64_t leaving) {
  const int fd = open(Filler().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    Fail("open " + Filler());
  }
  int error = 0;
  do {
    const off_t end = lseek(fd, 0, SEEK_END);
    const std::uint64_t free = free_bytes();
    error = free > leaving ? posix_fallocate(fd, end, static_cast<off_t>(free - leaving)) : 0;
  } while (error == ENOSPC);  // somebody was faster
  close(fd);
  if (error != 0) {
    throw std::system_error(error, std::generic_category(), "fill " + folder_);
  }
}

void SmallDisk::MakeRoom() { unlink(Filler().c_str()); }

}  // namespace packhorse::test
