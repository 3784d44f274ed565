#pragma once

#include <cstdint>

namespace packhorse::test {

// A file system for SQLite, the default one of this process once installed. It counts the bytes that go to and come
// from the disk, and writes, syncs and commits fail on demand. Thread-safe.
class TestVfs {
 public:
  static void Install();
  static std::uint64_t BytesWritten();
  static std::uint64_t BytesRead();
  // Taken so far in databases with a write-ahead log; each transaction takes at least one.
  static std::uint64_t Locks();
  // The n-th write, sync, truncation or end of a commit from now on fails, once: a write with this SQLite result code,
  // the end of a commit when the commit is in.
  static void FailNth(int n, int code);
  static void Heal();
  // Whether the fault of the last FailNth() has happened.
  static bool Failed();
};

}  // namespace packhorse::test
