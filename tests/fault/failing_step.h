#pragma once

namespace packhorse::test {

// Stands in for sqlite3_step() in this program: passes every call on but one. Thread-safe.
class FailingStep {
 public:
  static void Install() {}
  // The n-th step of a statement from now on is not made and answers this SQLite result code, once.
  static void FailNth(int n, int code);
  static void Heal();
  // Whether the fault of the last FailNth() has happened.
  static bool Failed();
};

}  // namespace packhorse::test
