#include "queue/recovery/start_obstacle.h"

#include "base/file.h"
#include "queue/recovery/claimed_files.h"
#include "queue/sqlite/database.h"
#include "queue/sqlite/writable.h"
#include "queue/tables/schema.h"

namespace packhorse::queue {
namespace {

// What is only in the write-ahead log is not seen; the start itself sees it.
Status CheckFormatAt(const std::string& path) {
  Result<Database> db = Database::Open(path, Database::Mode::kAsItLies);
  return db ? CheckFormat(*db) : Status(db.error());
}

}  // namespace

// A call of the system that finds an argument invalid may say so of a medium that fails.
bool IsLasting(const Error& error) { return error.code == ErrorCode::kUnsupported; }

std::optional<StartObstacle> FindStartObstacle(const std::string& name, const std::string& runtime_dir) {
  const std::string path = FollowLinks(name);
  if (Status file = CheckIsFile(path); !file) {
    return StartObstacle{file.error(), false};
  }
  if (FileBytes(path) > 0) {
    const Status known = CheckFormatAt(path);
    if (!known && IsLasting(known.error())) {
      return StartObstacle{known.error(), false};
    }
  }
  if (Status writable = CheckWritable(path); !writable && writable.error().code != ErrorCode::kNotFound) {
    return StartObstacle{writable.error(), OnReadOnlyMedium(path)};
  }
  if (Status free = LookAtLocks(path, runtime_dir); !free) {
    return StartObstacle{free.error(), true};
  }
  return std::nullopt;
}

}  // namespace packhorse::queue
