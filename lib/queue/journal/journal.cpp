#include "queue/journal/journal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/crc32c.h"
#include "base/text.h"
#include "queue/journal/bytes.h"

namespace packhorse::queue {
namespace {

constexpr std::string_view kMagic = "PKHJRNL1";
constexpr std::size_t kHeaderBytes = 128;
constexpr std::size_t kEntryHeaderBytes = 16;  // length, checksum, position
constexpr const char* kNames[] = {"/intake.0", "/intake.1"};
constexpr std::size_t kMostOfOthers = 8;  // files of other queues, each of a few MiB of memory

struct Header {
  LogPosition first = 0;
  std::uint64_t epoch = 0;
  std::string queue_id;
  std::string boot_id;
};

std::string EncodeHeader(const Header& header) {
  std::string bytes(kMagic);
  PutFixed64(bytes, header.first);
  PutFixed64(bytes, header.epoch);
  PutText(bytes, header.queue_id);
  PutText(bytes, header.boot_id);
  bytes.resize(kHeaderBytes - 4);
  PutFixed32(bytes, Crc32c(bytes));
  return bytes;
}

bool DecodeHeader(std::string_view bytes, Header& header) {
  if (bytes.size() < kHeaderBytes || bytes.substr(0, kMagic.size()) != kMagic) {
    return false;
  }
  ByteReader crc(bytes.substr(kHeaderBytes - 4, 4));
  if (crc.Fixed32() != Crc32c(bytes.substr(0, kHeaderBytes - 4))) {
    return false;
  }
  ByteReader in(bytes.substr(kMagic.size(), kHeaderBytes - kMagic.size() - 4));
  header.first = in.Fixed64();
  header.epoch = in.Fixed64();
  header.queue_id = in.Text();
  header.boot_id = in.Text();
  return in.ok();
}

// The checksum covers position and bytes, so that a left-over entry of an earlier use of the file never fits.
void PutEntry(std::string& out, LogPosition position, std::string_view bytes) {
  out.assign(8, '\0');  // length and checksum, which come last
  PutFixed64(out, position);
  out += bytes;
  SetFixed32(out, 0, static_cast<std::uint32_t>(bytes.size()));
  SetFixed32(out, 4, Crc32c(std::string_view(out).substr(8)));
}

// Takes one entry with this position off the front; false when it does not hold.
bool TakeEntry(std::string_view& rest, LogPosition expected, std::string_view& bytes) {
  ByteReader in(rest);
  const std::uint32_t size = in.Fixed32();
  const std::uint32_t crc = in.Fixed32();
  const LogPosition position = in.Fixed64();
  if (!in.ok() || size == 0 || size > in.rest().size() || position != expected) {
    return false;
  }
  if (Crc32c(rest.substr(8, kEntryHeaderBytes - 8 + size)) != crc) {
    return false;
  }
  bytes = in.rest().substr(0, size);
  rest.remove_prefix(kEntryHeaderBytes + size);
  return true;
}

Result<Fd> MakeFile(const std::string& path, std::uint64_t bytes) {
  // Another file: whoever may still have the one before open must not write into this one.
  if (unlink(path.c_str()) != 0 && errno != ENOENT) {
    return ErrnoError("remove " + path, errno);
  }
  Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (!fd.valid()) {
    return ErrnoError("create " + path, errno);
  }
  if (const int error = posix_fallocate(fd.get(), 0, static_cast<off_t>(bytes)); error != 0) {
    return ErrnoError("allocate " + std::to_string(bytes) + " bytes for " + path, error);
  }
  return fd;
}

struct Found {
  Header header;
  std::string bytes;
};

std::optional<Header> LoadHeader(const std::string& path) {
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string bytes(kHeaderBytes, '\0');
  Header header;
  const bool whole = fd.valid() && pread(fd.get(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size());
  return whole && DecodeHeader(bytes, header) ? std::optional(std::move(header)) : std::nullopt;
}

// What lies there; none where that is no journal.
Result<std::optional<Found>> Load(const std::string& path) {
  Result<std::string> bytes = ReadFile(path, 1ULL << 30U);
  if (!bytes) {
    return bytes.error().code == ErrorCode::kNotFound ? Result<std::optional<Found>>(std::nullopt) : bytes.error();
  }
  Found found;
  if (!DecodeHeader(*bytes, found.header)) {
    return std::optional<Found>();
  }
  found.bytes = *std::move(bytes);
  return std::optional(std::move(found));
}

std::uint64_t CountEntries(const Found& found) {
  std::string_view rest = std::string_view(found.bytes).substr(kHeaderBytes);
  std::string_view entry;
  std::uint64_t entries = 0;
  while (TakeEntry(rest, found.header.first + entries, entry)) {
    ++entries;
  }
  return entries;
}

// Where a file of a queue lies that was set aside for another one's.
std::string PathOfOther(const std::string& path, const std::string& queue_id) { return path + "." + queue_id; }

bool IsName(const std::string& id) {
  return !id.empty() && id.size() <= 64 && std::all_of(id.begin(), id.end(), IsAlnum);
}

bool Ours(const Journal::Options& options, const std::string& queue_id) {
  return queue_id == options.queue_id || queue_id == options.before;
}

// Another queue worked in this folder before, and its process was killed: what its database does not have is only here.
// That queue looks for it under the other name.
Status SetOthersAside(const Journal::Options& options) {
  for (const char* name : kNames) {
    const std::string path = options.directory + name;
    const std::optional<Header> header = LoadHeader(path);
    if (!header || Ours(options, header->queue_id) || !IsName(header->queue_id)) {
      continue;  // without a look at its megabytes: it is so at nearly every start
    }
    const Result<std::optional<Found>> found = Load(path);
    if (!found || !*found || CountEntries(**found) == 0) {
      continue;
    }
    if (Status moved = RenameIfThere(path, PathOfOther(path, header->queue_id)); !moved) {
      return moved.error().With("set a journal of another queue aside");
    }
  }
  return {};
}

// What was ours is in the database now; of others' only the newest stay.
void TidyAside(const Journal::Options& options) {
  namespace fs = std::filesystem;
  std::set<std::pair<fs::file_time_type, fs::path>> kept;
  std::error_code failed;
  for (const fs::directory_entry& each : fs::directory_iterator(options.directory, failed)) {
    const std::string file = "/" + each.path().filename().string();
    for (const std::string name : kNames) {
      if (!file.starts_with(name + ".")) {
        continue;
      }
      if (Ours(options, file.substr(name.size() + 1))) {
        fs::remove(each.path(), failed);
      } else {
        kept.emplace(each.last_write_time(failed), each.path());
      }
    }
  }
  for (; kept.size() > kMostOfOthers; kept.erase(kept.begin())) {
    fs::remove(kept.begin()->second, failed);
  }
}

}  // namespace

Result<Journal> Journal::Create(const Options& options, LogPosition first) {
  if (mkdir(options.directory.c_str(), 0750) != 0 && errno != EEXIST) {
    return ErrnoError("make directory " + options.directory, errno);
  }
  RETURN_IF_ERROR(SetOthersAside(options));
  TidyAside(options);
  Journal journal(options);
  for (std::size_t i = 0; i < journal.files_.size(); ++i) {
    File& file = journal.files_.at(i);
    file.path = options.directory + kNames[i];
    Result<Fd> fd = MakeFile(file.path, options.file_bytes);
    RETURN_IF_ERROR(fd);
    file.fd = *std::move(fd);
  }
  RETURN_IF_ERROR(journal.WriteHeader(journal.files_[0], first));
  return journal;
}

Status Journal::Write(File& file, std::uint64_t at, std::string_view bytes) const {
  return file.writer.Write(file.fd, options_.file_bytes, at, bytes, file.path);
}

Status Journal::WriteHeader(File& file, LogPosition first) {
  const std::string header = EncodeHeader({first, options_.epoch, options_.queue_id, options_.boot_id});
  RETURN_IF_ERROR(Write(file, 0, header));
  file.end = kHeaderBytes;
  file.first = first;
  file.last = 0;
  file.used = true;
  return {};
}

bool Journal::CanHold(std::size_t bytes) const {
  return bytes <= options_.file_bytes - options_.file_bytes / 4 - kHeaderBytes - kEntryHeaderBytes;
}

bool Journal::HasRoom(std::size_t bytes, bool arrival) const {
  const std::uint64_t limit = arrival ? options_.file_bytes - options_.file_bytes / 4 : options_.file_bytes;
  return files_[active_].end + kEntryHeaderBytes + bytes <= limit;
}

Status Journal::Append(LogPosition position, std::string_view bytes) {
  File& file = files_[active_];
  PutEntry(frame_, position, bytes);
  RETURN_IF_ERROR(Write(file, file.end, frame_));
  file.end += frame_.size();
  file.last = position;
  return {};
}

Status Journal::Rotate(LogPosition next) {
  File& other = files_[1 - active_];
  RETURN_IF_ERROR(WriteHeader(other, next));
  files_[active_].writer = {};
  active_ = 1 - active_;
  return {};
}

void Journal::Release(LogPosition through) {
  File& other = files_[1 - active_];
  if (other.used && other.last <= through) {
    other.used = false;
  }
}

bool Journal::InPlace() const {
  return std::all_of(files_.begin(), files_.end(), [this](const File& file) {
    return LeadsTo(file.path, file.fd) && FileBytes(file.path) == options_.file_bytes;
  });
}

void Journal::Clear() {
  for (File& file : files_) {
    static_cast<void>(Write(file, 0, std::string(kHeaderBytes, '\0')));
  }
}

Result<Journal::Left> Journal::Read(const Options& options, LogPosition after, const Visit& visit) {
  std::vector<Found> files;
  Left left;
  left.through = after;
  for (const char* name : kNames) {
    const std::string path = options.directory + name;
    for (const std::string& each : {path, PathOfOther(path, options.queue_id)}) {
      Result<std::optional<Found>> found = Load(each);
      RETURN_IF_ERROR(found);
      if (!*found) {
        continue;
      }
      const Header& header = (*found)->header;
      if (header.queue_id != options.queue_id || header.epoch != options.epoch) {
        left.foreign_entries += CountEntries(**found);
        continue;
      }
      left.found = true;
      left.other_boot = left.other_boot || header.boot_id != options.boot_id;
      files.push_back(**std::move(found));
    }
  }
  std::sort(files.begin(), files.end(), [](const Found& a, const Found& b) { return a.header.first < b.header.first; });
  LogPosition next = files.empty() ? 0 : files.front().header.first;
  if (next > after + 1) {
    return Error{ErrorCode::kCorrupt, "the journal begins at operation " + std::to_string(next) +
                                          ", the database ends at " + std::to_string(after)};
  }
  for (const Found& file : files) {
    // What did not go through the journal is no hole once the database has it.
    if (file.header.first > next && file.header.first <= after + 1) {
      next = file.header.first;
    }
    if (file.header.first != next) {
      break;
    }
    std::string_view rest = std::string_view(file.bytes).substr(kHeaderBytes);
    std::string_view entry;
    for (; TakeEntry(rest, next, entry); ++next) {
      if (next <= after) {
        continue;
      }
      RETURN_IF_ERROR(visit(next, entry));
      left.through = next;
    }
  }
  return left;
}

}  // namespace packhorse::queue
