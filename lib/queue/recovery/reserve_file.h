#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace packhorse::queue {

// A file beside the database that does nothing but take room. When the disk is full half of it is given up, so that
// there is room to write down what was delivered, and with that to free the disk; the other half when somebody else was
// faster. What is missing is taken again when there is room.
//
// Not thread-safe.
class ReserveFile {
 public:
  // Looks at what is there and changes nothing. 0 bytes: none is wanted.
  ReserveFile(std::string path, std::uint64_t bytes);

  // Room was given up, by this process or one before, and is not taken again yet.
  bool given_up() const { return there_ && held_ < bytes_; }
  // All of it is taken, or none is wanted.
  bool whole() const { return held_ >= bytes_; }
  std::uint64_t held() const { return held_; }  // bytes
  std::uint64_t bytes() const { return bytes_; }

  // Takes all of it; it is not written to. After an error there is as much as before: kDiskFull while there is too
  // little room, kUnsupported on a file system that cannot set room aside.
  Status Take();
  // Half of it, then the rest. False: there was none left.
  bool GiveUp();

 private:
  std::string path_;
  std::uint64_t bytes_;
  bool there_ = false;  // the file
  std::uint64_t held_ = 0;
};

}  // namespace packhorse::queue
