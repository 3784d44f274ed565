#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/file.h"
#include "base/result.h"

namespace packhorse {

// Owns a shared mapping of a part of a file. What is written there is the kernel's at once, without a system call: it
// outlasts the process, however that ends. Not thread-safe.
//
// Whoever makes the file shorter takes its pages away, which would end the process (SIGBUS). The first mapping installs
// a handler of that signal: it puts memory without a file in the place of such a page, and lost() is true from then on.
class Mapping {
 public:
  Mapping() = default;
  ~Mapping() { Unmap(); }
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  // Of a file that is open for reading and writing. REQUIRES: `begin` is a multiple of the page size. kLimitExceeded
  // over kMostMappings in the process. `path` is for the message.
  static constexpr std::size_t kMostMappings = 64;
  static Result<Mapping> Map(const Fd& file, std::uint64_t begin, std::size_t bytes, const std::string& path);

  char* data() const { return data_; }
  std::size_t size() const { return size_; }
  std::string_view bytes() const { return {data_, size_}; }
  // Something that was touched is no part of the file any more.
  bool lost() const;

 private:
  void Unmap();
  char* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t watched_ = 0;  // where the handler knows it
};

// The place where bytes go into a file without a system call. Weak, so that the tests of crashes, which end the process
// at each step, put theirs there.
[[gnu::weak]] void CopyIntoMapping(char* to, std::string_view bytes);

// Writes into an allocated file of fixed size through a mapping of a part of it that moves along: the file may be much
// larger than what counts as memory of the process. Owner and thread: as the file's.
class MappedWriter {
 public:
  static constexpr std::size_t kWindowBytes = 64ULL << 10U;

  // REQUIRES: as Mapping; `file_bytes` is the size of the file, and the bytes fit into it. After an error nothing or a
  // part is written.
  Status Write(const Fd& file, std::uint64_t file_bytes, std::uint64_t at, std::string_view bytes,
               const std::string& path);

 private:
  Status MoveTo(const Fd& file, std::uint64_t file_bytes, std::uint64_t at, const std::string& path);

  Mapping window_;
  std::uint64_t begin_ = 0;
};

}  // namespace packhorse
