#pragma once

#include <memory>
#include <optional>
#include <string>

#include "queue/recovery/identity.h"
#include "queue/recovery/lock_file.h"
#include "queue/recovery/witness.h"
#include "queue/values/options.h"

namespace packhorse::queue {

// What there is of a queue beside its database, as found when it is opened.
struct ClaimedFiles {
  std::optional<LockFile> lock;          // of the database
  std::optional<LockFile> runtime_lock;  // of the runtime folder; none where there is no such folder
  std::string runtime_error;             // why
  std::string witness_error;             // why nothing in it can bear witness
  std::unique_ptr<WitnessKeeper> witness;
  Witnesses witnesses;
  // Whether a queue was here before, as far as anything tells.
  bool known() const { return witnesses.runtime || witnesses.disk || witnesses.reserve_file; }
};

// The lock of the database at `path`.
Result<LockFile> TakeQueueLock(const std::string& path);
// That of the runtime folder, which is made where there is none.
Result<LockFile> TakeRuntimeLock(const std::string& directory);

// Whether another process has either of the locks that an open takes: kBusy. Changes nothing.
Status LookAtLocks(const std::string& path, const std::string& runtime_dir);

// Locks the database and the runtime folder before anything in them is touched, and hears the witnesses. kBusy when
// another process has either. A runtime folder that cannot be used is no error: then nothing in it proves anything.
Result<ClaimedFiles> ClaimFiles(const Options& options);

}  // namespace packhorse::queue
