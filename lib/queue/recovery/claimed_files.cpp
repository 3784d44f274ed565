#include "queue/recovery/claimed_files.h"

#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "base/file.h"

namespace packhorse::queue {
namespace {

// A lock of a queue: its file, and what is said when another process has it.
struct LockNames {
  std::string path;
  std::string what;
  const char* remedy;
};

LockNames OfDatabase(const std::string& path) {
  return {path + ".lock", "the queue", "two daemons cannot share a queue (queue.path)"};
}

LockNames OfRuntime(const std::string& directory) {
  return {directory + "/queue.lock", "the runtime folder " + directory,
          "each daemon needs its own: give this one another folder as queue.runtime_dir"};
}

Result<LockFile> Take(const LockNames& lock) { return LockFile::Take(lock.path, lock.what, lock.remedy); }

}  // namespace

Result<LockFile> TakeRuntimeLock(const std::string& directory) {
  if (mkdir(directory.c_str(), 0750) != 0 && errno != EEXIST) {
    return ErrnoError("make directory " + directory, errno);
  }
  return Take(OfRuntime(directory));
}

Result<LockFile> TakeQueueLock(const std::string& path) { return Take(OfDatabase(path)); }

Status LookAtLocks(const std::string& path, const std::string& runtime_dir) {
  for (const LockNames& lock : {OfDatabase(path), OfRuntime(runtime_dir)}) {
    RETURN_IF_ERROR(LockFile::Look(lock.path, lock.what, lock.remedy));
  }
  return {};
}

Result<ClaimedFiles> ClaimFiles(const Options& options) {
  ClaimedFiles claimed;
  Result<LockFile> lock = TakeQueueLock(options.path);
  RETURN_IF_ERROR(lock);
  claimed.lock.emplace(*std::move(lock));
  if (Result<LockFile> runtime_lock = TakeRuntimeLock(options.runtime_dir); runtime_lock) {
    claimed.runtime_lock.emplace(*std::move(runtime_lock));
  } else if (runtime_lock.error().code == ErrorCode::kBusy) {
    return runtime_lock.error();
  } else {
    claimed.runtime_error = runtime_lock.error().message;
  }
  std::optional<RuntimeWitness> page;
  if (claimed.runtime_lock) {
    if (Result<RuntimeWitness> opened = RuntimeWitness::Open(options.runtime_dir, options.path); opened) {
      page.emplace(*std::move(opened));
      claimed.witnesses.runtime = page->Read();
    } else {
      claimed.witness_error = opened.error().message;
    }
  }
  DiskWitness disk(options.path);
  claimed.witnesses.disk = disk.Read();
  claimed.witnesses.reserve_file = Exists(options.path + ".ballast");
  claimed.witness = std::make_unique<WitnessKeeper>(std::move(page), std::move(disk), claimed.witnesses.runtime);
  return claimed;
}

}  // namespace packhorse::queue
