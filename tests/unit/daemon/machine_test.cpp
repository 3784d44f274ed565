#include "packhorsed/machine.h"

#include <gtest/gtest.h>

#include <string>

#include "support/process.h"
#include "support/temp_dir.h"

namespace packhorse::daemon {
namespace {

TEST(Machine, FingerprintIsStableAndDoesNotShowTheId) {
  const test::TempDir dir;
  const std::string id = "0123456789abcdef0123456789abcdef";
  test::WriteAll(dir / "machine-id", id + "\n");
  const std::string fingerprint = MachineFingerprint(dir / "machine-id");
  EXPECT_EQ(fingerprint.size(), 32U);
  EXPECT_EQ(fingerprint, MachineFingerprint(dir / "machine-id"));
  EXPECT_EQ(fingerprint.find(id.substr(0, 8)), std::string::npos);
  test::WriteAll(dir / "other", "1" + id.substr(1) + "\n");
  EXPECT_NE(MachineFingerprint(dir / "other"), fingerprint);
}

TEST(Machine, WithoutAnIdThereIsNoFingerprint) {
  const test::TempDir dir;
  EXPECT_EQ(MachineFingerprint(dir / "missing"), "");
  for (const char* text : {"", "uninitialized\n", "0123456789abcdef", "0123456789abcdef0123456789abcdeX\n"}) {
    test::WriteAll(dir / "machine-id", text);
    EXPECT_EQ(MachineFingerprint(dir / "machine-id"), "") << text;
  }
}

}  // namespace
}  // namespace packhorse::daemon
