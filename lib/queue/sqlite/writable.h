#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace packhorse::queue {

// Whether the files of a queue may be written, in the words of the system. SQLite does not say: it opens what it may
// not write for reading and fails later, without a reason. Nothing is changed. Any thread.

// Whether this process may write the database at `path` and its log, and make those that are missing. If not: which
// file or folder it is, why, and what to do; a later call may find it mended.
Status CheckWritable(const std::string& path);

// Whether the database at `path` lies on a file system that takes no writes.
bool OnReadOnlyMedium(const std::string& path);

// kUnsupported where something lies at `path` that is no file.
Status CheckIsFile(const std::string& path);

// Makes the folder of the queue. A new queue must not vanish with it, also when it was made by a process that ended
// there.
Status MakeParent(const std::string& path);

// As ErrnoError(), for a call that was to write a file of the queue. A refusal comes with what to do.
Error WriteError(std::string_view what, int number);

}  // namespace packhorse::queue
