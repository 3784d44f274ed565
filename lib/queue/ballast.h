#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace packhorse::queue {

// A file beside the database that does nothing but take room. When the disk is full it is given up, so that there is
// room to write down what was delivered, and with that to free the disk. It is empty until it can be taken again.
//
// Not thread-safe.
class Ballast {
 public:
  // Looks at what is there and changes nothing. 0 bytes: none is wanted.
  Ballast(std::string path, std::uint64_t bytes);

  // Whether the room that was taken has been given up, by this process or one before, and is not taken again.
  bool given_up() const { return given_up_; }
  bool held() const { return held_; }
  std::uint64_t bytes() const { return bytes_; }

  // Takes the room, which is not written to, or changes how much it is. After an error there is none: kDiskFull while
  // there is too little, kUnsupported on a file system that cannot set room aside.
  Status Take();
  void GiveUp();

 private:
  std::string path_;
  std::uint64_t bytes_;
  bool given_up_ = false;
  bool held_ = false;
};

}  // namespace packhorse::queue
