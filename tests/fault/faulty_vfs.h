#pragma once

namespace packhorse::test {

// A file system for SQLite, the default one of this process once installed, whose writes and syncs fail on demand.
// Thread-safe.
class FaultyVfs {
 public:
  static void Install();
  // The n-th write, sync or truncation from now on fails with this SQLite result code, once.
  static void FailNth(int n, int code);
  static void Heal();
  // Whether the fault of the last FailNth() has happened.
  static bool Failed();
};

}  // namespace packhorse::test
