#include "support/temp_dir.h"

#include <sys/stat.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <system_error>

namespace packhorse::test {

namespace {

std::string Base() {
  const char* base = std::getenv("TMPDIR");
  return base != nullptr && *base != '\0' ? base : "/tmp";
}

}  // namespace

TempDir::TempDir() : TempDir(Base()) {}

TempDir::TempDir(const std::string& parent) : path_(parent + "/packhorse.XXXXXX") {
  if (mkdtemp(path_.data()) == nullptr || chmod(path_.c_str(), 0755) != 0) {
    throw std::runtime_error("cannot make " + path_);
  }
}

std::string MemoryFolder() {
  constexpr std::uintmax_t kRoom = 256ULL << 20U;  // containers often have 64 MiB
  std::error_code failed;
  const std::filesystem::space_info space = std::filesystem::space("/dev/shm", failed);
  return !failed && space.available >= kRoom ? "/dev/shm" : "/tmp";
}

void WorkInMemory() { setenv("TMPDIR", MemoryFolder().c_str(), 0); }

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace packhorse::test
