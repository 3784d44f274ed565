#include "support/vfs/test_vfs.h"

#include <sqlite3.h>

#include <array>
#include <atomic>
#include <mutex>

namespace packhorse::test {
namespace {

std::atomic<std::uint64_t> g_written{0};
std::atomic<std::uint64_t> g_read{0};
std::atomic<std::uint64_t> g_locks{0};
std::atomic<int> g_left{0};
std::atomic<int> g_code{SQLITE_OK};
sqlite3_vfs* g_disk = nullptr;
sqlite3_vfs g_vfs;
std::once_flag g_installed;

bool Fails() { return g_left.load() > 0 && g_left.fetch_sub(1) == 1; }

// SQLite has a table of methods for files that are locked and another for those that are not: copies with our methods
// in them take their places.
struct Table {
  const sqlite3_io_methods* real = nullptr;
  sqlite3_io_methods ours{};
};
std::array<Table, 2> g_tables;

template <std::size_t kTable>
int Write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 at) {
  g_written += static_cast<std::uint64_t>(size);
  return Fails() ? g_code.load() : g_tables[kTable].real->xWrite(file, bytes, size, at);
}

template <std::size_t kTable>
int Read(sqlite3_file* file, void* bytes, int size, sqlite3_int64 at) {
  g_read += static_cast<std::uint64_t>(size);
  return g_tables[kTable].real->xRead(file, bytes, size, at);
}

template <std::size_t kTable>
int ShmLock(sqlite3_file* file, int offset, int count, int flags) {
  g_locks += (flags & SQLITE_SHM_LOCK) != 0 ? 1 : 0;
  return g_tables[kTable].real->xShmLock(file, offset, count, flags);
}

template <std::size_t kTable>
int Sync(sqlite3_file* file, int flags) {
  return Fails() ? SQLITE_IOERR_FSYNC : g_tables[kTable].real->xSync(file, flags);
}

template <std::size_t kTable>
int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  return Fails() ? SQLITE_IOERR_TRUNCATE : g_tables[kTable].real->xTruncate(file, size);
}

// The last that SQLite asks of a file in a commit: it fails when the commit is in already.
template <std::size_t kTable>
int FileControl(sqlite3_file* file, int op, void* argument) {
  const bool fails = op == SQLITE_FCNTL_COMMIT_PHASETWO && Fails();
  return fails ? SQLITE_IOERR : g_tables[kTable].real->xFileControl(file, op, argument);
}

template <std::size_t kTable>
void Replace(sqlite3_file* file) {
  Table& table = g_tables[kTable];
  if (table.real == nullptr) {
    table.real = file->pMethods;
    table.ours = *file->pMethods;
    table.ours.xWrite = Write<kTable>;
    table.ours.xRead = Read<kTable>;
    table.ours.xShmLock = ShmLock<kTable>;
    table.ours.xSync = Sync<kTable>;
    table.ours.xTruncate = Truncate<kTable>;
    table.ours.xFileControl = FileControl<kTable>;
  }
  file->pMethods = &table.ours;
}

int OpenFile(sqlite3_vfs* /*vfs*/, sqlite3_filename name, sqlite3_file* file, int flags, int* flags_out) {
  const int rc = g_disk->xOpen(g_disk, name, file, flags, flags_out);
  if (rc == SQLITE_OK && file->pMethods != nullptr) {
    static std::mutex mutex;
    const std::lock_guard lock(mutex);
    if ((flags & SQLITE_OPEN_MAIN_DB) != 0) {
      Replace<0>(file);
    } else {
      Replace<1>(file);
    }
  }
  return rc;
}

}  // namespace

void TestVfs::Install() {
  std::call_once(g_installed, [] {
    g_disk = sqlite3_vfs_find(nullptr);
    g_vfs = *g_disk;
    g_vfs.zName = "test";
    g_vfs.xOpen = OpenFile;
    sqlite3_vfs_register(&g_vfs, 1);
  });
}

std::uint64_t TestVfs::BytesWritten() { return g_written.load(); }

std::uint64_t TestVfs::BytesRead() { return g_read.load(); }

std::uint64_t TestVfs::Locks() { return g_locks.load(); }

void TestVfs::FailNth(int n, int code) {
  g_code.store(code);
  g_left.store(n);
}

void TestVfs::Heal() { g_left.store(0); }

bool TestVfs::Failed() { return g_left.load() <= 0; }

}  // namespace packhorse::test
