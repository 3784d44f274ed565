#pragma once

#include <cstdint>
#include <string>

namespace packhorse::test {

// A file system of a given size, in memory, mounted at a folder that exists. Only the thread that made it, the threads
// and processes that it starts from then on see it (a mount namespace), so that nothing is left of it. Throws where the
// system does not let it: that takes root, or user namespaces. Not thread-safe.
class SmallDisk {
 public:
  SmallDisk(std::string folder, std::uint64_t bytes);
  ~SmallDisk();
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  std::uint64_t free_bytes() const;
  // Somebody else's file takes what is free but so much.
  void Fill(std::uint64_t leaving = 0);
  // It is removed.
  void MakeRoom();

 private:
  std::string Filler() const { return folder_ + "/somebody-elses"; }
  std::string folder_;
};

}  // namespace packhorse::test
