#include "queue/recovery/exchange.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>

#include "base/crc32c.h"
#include "base/file.h"
#include "base/units.h"
#include "queue/journal/bytes.h"

namespace packhorse::queue {
namespace {

constexpr std::size_t kMaxReportBytes = 64U << 10U;
// Of an SQLite database (file format, section 1.3) and of its write-ahead log (section 4.1).
constexpr std::size_t kDatabaseHeaderBytes = 100;
constexpr std::size_t kLogHeaderBytes = 32;
constexpr std::size_t kFrameHeaderBytes = 24;
constexpr std::uint64_t kLogMagic = 0x377F0682;

std::string ReportFile(const std::string& path) { return path + ".salvaged"; }

std::string Encode(const Salvaged& report) {
  std::string bytes;
  PutText(bytes, report.because);
  PutText(bytes, report.set_aside);
  PutVarint(bytes, report.segments_kept);
  PutVarint(bytes, report.segments_lost);
  PutVarint(bytes, report.messages_lost);
  PutVarint(bytes, report.sent_again ? 1 : 0);
  PutVarint(bytes, report.damaged.size());
  for (const std::string& table : report.damaged) {
    PutText(bytes, table);
  }
  PutFixed32(bytes, Crc32c(bytes));
  return bytes;
}

std::optional<Salvaged> Decode(std::string_view bytes) {
  if (bytes.size() < 4) {
    return std::nullopt;
  }
  const std::string_view body = bytes.substr(0, bytes.size() - 4);
  ByteReader crc(bytes.substr(body.size()));
  if (crc.Fixed32() != Crc32c(body)) {
    return std::nullopt;
  }
  ByteReader in(body);
  Salvaged report;
  report.because = in.Text();
  report.set_aside = in.Text();
  report.segments_kept = in.Varint();
  report.segments_lost = in.Varint();
  report.messages_lost = in.Varint();
  report.sent_again = in.Varint() != 0;
  for (std::uint64_t left = in.Varint(); in.ok() && left > 0; --left) {
    report.damaged.emplace_back(in.Text());
  }
  return in.ok() ? std::optional(std::move(report)) : std::nullopt;
}

// Each step may have been done before.
Status Rename(const std::string& path) {
  if (!Exists(SalvagedFile(path))) {
    return {};  // the new one is in its place
  }
  for (const char* suffix : {"-wal", ""}) {
    RETURN_IF_ERROR(RenameIfThere(path + suffix, DamagedPath(path) + suffix));
  }
  unlink((path + "-shm").c_str());
  // The new one may only get the name once the old one has another.
  RETURN_IF_ERROR(SyncDirectoryOf(path));
  RETURN_IF_ERROR(RenameIfThere(SalvagedFile(path), path));
  return SyncDirectoryOf(path);
}

std::uint64_t BigEndian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char byte : bytes) {
    value = value << 8U | static_cast<unsigned char>(byte);
  }
  return value;
}

// What the header of a database says of its size; zeros when it makes no sense.
struct Size {
  std::uint64_t page_bytes = 0;
  std::uint64_t pages = 0;
  std::uint64_t free_pages = 0;
};

std::string ReadBeginning(const std::string& path, std::size_t bytes) {
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string header(bytes, '\0');
  const ssize_t size = fd.valid() ? pread(fd.get(), header.data(), header.size(), 0) : 0;
  header.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
  return header;
}

Size ReadSize(const std::string& path) {
  const std::string header = ReadBeginning(path, kDatabaseHeaderBytes);
  if (header.size() < kDatabaseHeaderBytes || header.compare(0, 15, "SQLite format 3") != 0) {
    return {};
  }
  const std::uint64_t page_field = BigEndian(std::string_view(header).substr(16, 2));
  Size size{page_field == 1 ? 65'536 : page_field, BigEndian(std::string_view(header).substr(28, 4)),
            BigEndian(std::string_view(header).substr(36, 4))};
  const bool sane = size.page_bytes >= 512 && (size.page_bytes & (size.page_bytes - 1)) == 0 &&
                    header.compare(24, 4, header, 92, 4) == 0;  // else the number of pages is not kept
  return sane ? size : Size{};
}

// The size of the database after the last commit that its write-ahead log has.
std::uint64_t BytesByLog(const std::string& log) {
  if (!LogHolds(log)) {
    return 0;
  }
  const Fd fd(open(log.c_str(), O_RDONLY | O_CLOEXEC));
  const std::uint64_t page_bytes = BigEndian(std::string_view(ReadBeginning(log, kLogHeaderBytes)).substr(8, 4));
  std::uint64_t pages = 0;
  std::string frame(8, '\0');  // number of the page, and of all pages where a commit ends
  for (std::uint64_t at = kLogHeaderBytes; page_bytes > 0; at += kFrameHeaderBytes + page_bytes) {
    if (pread(fd.get(), frame.data(), frame.size(), static_cast<off_t>(at)) != static_cast<ssize_t>(frame.size())) {
      break;
    }
    const std::uint64_t after_commit = BigEndian(std::string_view(frame).substr(4));
    pages = after_commit > 0 ? after_commit : pages;
  }
  return pages * page_bytes;
}

}  // namespace

std::string SalvagedFile(const std::string& path) { return path + ".salvage"; }
std::string DamagedPath(const std::string& path) { return path + ".damaged"; }

void RemoveDatabase(const std::string& path) {
  for (const char* suffix : {"", "-wal", "-shm", "-journal"}) {
    unlink((path + suffix).c_str());
  }
}

Status CheckSalvageRoom(const std::string& path, std::uint64_t reserve_file) {
  const Size size = ReadSize(path);
  const std::uint64_t file = FileBytes(path);
  const std::uint64_t unused = std::min(file, size.free_pages < size.pages ? size.free_pages * size.page_bytes : 0);
  const std::uint64_t needed = file - unused + FileBytes(path + "-wal");
  const std::uint64_t free_bytes = FreeBytesAt(path);
  if (free_bytes + reserve_file >= needed) {
    return {};
  }
  return Error{ErrorCode::kDiskFull,
               "the database is damaged and there is no room to save what can be read: " + FormatBytes(needed) +
                   " have to be free, " + FormatBytes(free_bytes) +
                   " are; make room (df -h), then it goes on by itself; nothing is written or removed before"};
}

bool LogHolds(const std::string& log) {
  const std::string header = ReadBeginning(log, kLogHeaderBytes);
  if (header.size() < kLogHeaderBytes) {
    return header.empty() && Exists(log);
  }
  const std::uint64_t magic = BigEndian(std::string_view(header).substr(0, 4));
  if (magic != kLogMagic && magic != kLogMagic + 1) {
    return false;
  }
  std::uint32_t first = 0;
  std::uint32_t second = 0;
  for (std::size_t at = 0; at < 24; at += 8) {
    const auto word = [&](std::size_t from) {
      std::string bytes = header.substr(from, 4);
      if (magic == kLogMagic) {
        std::reverse(bytes.begin(), bytes.end());  // the magic number says in which order the checksum takes them
      }
      return static_cast<std::uint32_t>(BigEndian(bytes));
    };
    first += word(at) + second;
    second += word(at + 4) + first;
  }
  return first == BigEndian(std::string_view(header).substr(24, 4)) &&
         second == BigEndian(std::string_view(header).substr(28, 4));
}

Status PadDatabase(const std::string& path) {
  const Size size = ReadSize(path);
  const std::uint64_t whole = FileBytes(path) == 0 ? BytesByLog(path + "-wal") : size.page_bytes * size.pages;
  if (FileBytes(path) >= whole) {
    return {};
  }
  const Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (!fd.valid() || ftruncate(fd.get(), static_cast<off_t>(whole)) != 0) {
    return ErrnoError("pad " + path, errno);
  }
  return {};
}

Status Exchange(const std::string& path, const Salvaged& report) {
  // One damaged database is kept: an older one goes, also its log, which must not be taken for the new one's.
  RemoveDatabase(DamagedPath(path));
  RETURN_IF_ERROR(SyncDirectoryOf(path));
  RETURN_IF_ERROR(WriteFileAtomically(ReportFile(path), Encode(report), 0600));
  return Rename(path);
}

Result<std::optional<Salvaged>> FinishExchange(const std::string& path) {
  const Result<std::string> bytes = ReadFile(ReportFile(path), kMaxReportBytes);
  const bool noted = bytes || bytes.error().code != ErrorCode::kNotFound;
  // An older release left no report: the new one was complete when the old one had gone.
  const bool unnoted = !noted && Exists(SalvagedFile(path)) && !Exists(path);
  if (!noted && !unnoted) {
    RemoveDatabase(SalvagedFile(path));
    return std::optional<Salvaged>();
  }
  RETURN_IF_ERROR(Rename(path));
  std::optional<Salvaged> report = bytes ? Decode(*bytes) : std::nullopt;
  if (!report) {
    report.emplace();
    report->because = "a salvage was interrupted, and nothing is left that says why it was begun";
    report->set_aside = DamagedPath(path);
  }
  return report;
}

void ForgetExchange(const std::string& path) { unlink(ReportFile(path).c_str()); }

}  // namespace packhorse::queue
