#include "base/mapping.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

namespace packhorse {
namespace {

// What the handler knows of a mapping. Lock-free: it runs in the middle of anything.
struct Watched {
  std::atomic<bool> taken{false};
  std::atomic<char*> begin{nullptr};
  std::atomic<char*> end{nullptr};
  std::atomic<bool> lost{false};
};
std::array<Watched, Mapping::kMostMappings> watched;
struct sigaction handler_before;
long page_bytes = 0;

// The instruction is tried again when this returns.
void OnBusError(int, siginfo_t* info, void*) {
  // Of no mapping where somebody sent the signal.
  char* const at = info->si_code > 0 ? static_cast<char*>(info->si_addr) : nullptr;
  for (Watched& each : watched) {
    char* const begin = each.begin;
    if (at < begin || at >= each.end) {
      continue;
    }
    each.lost = true;
    if (mmap(begin + (at - begin) / page_bytes * page_bytes, static_cast<std::size_t>(page_bytes),
             PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED) {
      return;
    }
  }
  sigaction(SIGBUS, &handler_before, nullptr);
  raise(SIGBUS);
}

bool InstallHandler() {
  page_bytes = sysconf(_SC_PAGESIZE);
  struct sigaction action {};
  action.sa_sigaction = OnBusError;
  action.sa_flags = SA_SIGINFO;
  return sigaction(SIGBUS, &action, &handler_before) == 0;
}

// The number of a place that nobody has; kMostMappings: there is none.
std::size_t TakePlace() {
  std::size_t place = 0;
  while (place < watched.size() && watched[place].taken.exchange(true)) {
    ++place;
  }
  return place;
}

}  // namespace

Mapping::Mapping(Mapping&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)), watched_(other.watched_) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  if (this != &other) {
    Unmap();
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    watched_ = other.watched_;
  }
  return *this;
}

Result<Mapping> Mapping::Map(const Fd& file, std::uint64_t begin, std::size_t bytes, const std::string& path) {
  static const bool handled = InstallHandler();
  const std::size_t place = handled ? TakePlace() : kMostMappings;
  if (place == kMostMappings) {
    return Error{ErrorCode::kLimitExceeded, "map " + path + ": too many files are mapped"};
  }
  // Populated: a fault for each page would cost as much as what it saves.
  void* data =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file.get(), static_cast<off_t>(begin));
  if (data == MAP_FAILED) {
    const int error = errno;
    watched[place].taken = false;
    return ErrnoError("map " + path, error);
  }
  Mapping mapping;
  mapping.data_ = static_cast<char*>(data);
  mapping.size_ = bytes;
  mapping.watched_ = place;
  watched[place].lost = false;
  watched[place].begin = mapping.data_;
  watched[place].end = mapping.data_ + bytes;
  return mapping;
}

bool Mapping::lost() const { return data_ != nullptr && watched[watched_].lost; }

void Mapping::Unmap() {
  if (data_ == nullptr) {
    return;
  }
  watched[watched_].end = nullptr;
  watched[watched_].begin = nullptr;
  watched[watched_].taken = false;
  munmap(data_, size_);
}

void CopyIntoMapping(char* to, std::string_view bytes) {
  std::memcpy(to, bytes.data(), bytes.size());
  // Done before the handler's word is read, and before this thread does anything else: killed then, it was written.
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

Status MappedWriter::MoveTo(const Fd& file, std::uint64_t file_bytes, std::uint64_t at, const std::string& path) {
  const std::uint64_t begin = at / kWindowBytes * kWindowBytes;
  const auto bytes = static_cast<std::size_t>(std::min<std::uint64_t>(kWindowBytes, file_bytes - begin));
  window_ = Mapping();  // never two at a time
  Result<Mapping> mapped = Mapping::Map(file, begin, bytes, path);
  RETURN_IF_ERROR(mapped);
  window_ = *std::move(mapped);
  begin_ = begin;
  return {};
}

Status MappedWriter::Write(const Fd& file, std::uint64_t file_bytes, std::uint64_t at, std::string_view bytes,
                           const std::string& path) {
  while (!bytes.empty()) {
    if (at < begin_ || at >= begin_ + window_.size()) {
      RETURN_IF_ERROR(MoveTo(file, file_bytes, at, path));
    }
    const auto offset = static_cast<std::size_t>(at - begin_);
    const std::size_t part = std::min(bytes.size(), window_.size() - offset);
    CopyIntoMapping(window_.data() + offset, bytes.substr(0, part));
    if (window_.lost()) {
      window_ = Mapping();
      return Error{ErrorCode::kIo, "write " + path + ": somebody made the file shorter"};
    }
    at += part;
    bytes.remove_prefix(part);
  }
  return {};
}

}  // namespace packhorse
