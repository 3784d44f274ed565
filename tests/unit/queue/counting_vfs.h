#pragma once

#include <cstdint>

namespace packhorse::test {

// A file system for SQLite, the default one of this process once installed, that counts the bytes that go to and come
// from the disk. Any thread.
class CountingVfs {
 public:
  static void Install();
  static std::uint64_t BytesWritten();
  static std::uint64_t BytesRead();
};

}  // namespace packhorse::test
