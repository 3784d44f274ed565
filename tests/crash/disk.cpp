#include "disk.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "support/process.h"

namespace packhorse::test {
namespace {

std::string FolderOf(const std::string& path) { return path.substr(0, path.rfind('/')); }

std::uint64_t Draw(std::mt19937_64& random, std::uint64_t below) {
  return std::uniform_int_distribution<std::uint64_t>(0, below - 1)(random);
}

bool EndsWith(const std::string& path, std::string_view end) {
  return path.size() >= end.size() && std::string_view(path).substr(path.size() - end.size()) == end;
}

}  // namespace

Disk::Disk(std::string root, std::string volatile_folder)
    : root_(std::move(root)), volatile_folder_(std::move(volatile_folder)) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root_)) {
    if (entry.path().string().rfind(volatile_folder_, 0) == 0) {
      continue;
    }
    auto file = std::make_shared<File>();
    file->folder = entry.is_directory();
    if (!file->folder) {
      file->safe = ReadAll(entry.path());
    }
    files_[entry.path()] = std::move(file);
  }
  safe_ = files_;
}

// The memory that the connections share (-shm) is made anew after every start of the machine.
bool Disk::Concerns(const SystemCall& call) const {
  if (call.path.rfind(volatile_folder_, 0) == 0 || EndsWith(call.path, "-shm")) {
    return false;
  }
  switch (call.kind) {
    case CallKind::kOpen:
      return call.creates;
    case CallKind::kWrite:
    case CallKind::kTruncate:
    case CallKind::kSync:
    case CallKind::kUnlink:
    case CallKind::kRename:
    case CallKind::kMkdir:
      return true;
    default:
      return false;
  }
}

void Disk::Apply(std::string& content, const Change& change) {
  if (change.truncation) {
    content.resize(change.at);
    return;
  }
  content.resize(std::max<std::size_t>(content.size(), change.at + change.bytes.size()));
  content.replace(change.at, change.bytes.size(), change.bytes);
}

void Disk::SyncFolder(const std::string& path) {
  std::vector<std::vector<Renaming>> others;
  for (auto& renaming : renamings_) {
    if (FolderOf(renaming.front().path) != path) {
      others.push_back(std::move(renaming));
      continue;
    }
    for (Renaming& each : renaming) {
      safe_[each.path] = each.file;
    }
  }
  renamings_ = std::move(others);
}

void Disk::Follow(const SystemCall& call) {
  switch (call.kind) {
    case CallKind::kOpen:
    case CallKind::kMkdir:
      files_[call.path] = std::make_shared<File>();
      files_[call.path]->folder = call.kind == CallKind::kMkdir;
      renamings_.push_back({{call.path, files_[call.path]}});
      return;
    case CallKind::kWrite:
      files_.at(call.path)->changes.push_back(Change{call.offset, std::string(call.bytes), false});
      return;
    case CallKind::kTruncate:
      files_.at(call.path)->changes.push_back(Change{call.offset, "", true});
      return;
    case CallKind::kSync: {
      const auto found = files_.find(call.path);
      if (found == files_.end() || found->second->folder) {
        SyncFolder(call.path);
        return;
      }
      for (const Change& change : std::exchange(found->second->changes, {})) {
        Apply(found->second->safe, change);
      }
      return;
    }
    case CallKind::kUnlink:
      if (files_.erase(call.path) > 0) {
        renamings_.push_back({{call.path, nullptr}});
      }
      return;
    case CallKind::kRename: {
      const std::string to(call.bytes);
      files_[to] = files_.at(call.path);
      files_.erase(call.path);
      renamings_.push_back({{to, files_[to]}, {call.path, nullptr}});
      return;
    }
    default:
      return;
  }
}

void Disk::FailSync(const SystemCall& call, std::mt19937_64& random) {
  const auto found = files_.find(call.path);
  if (found == files_.end() || found->second->folder) {
    return;
  }
  File& file = *found->second;
  const std::vector<Change> forgotten = std::exchange(file.changes, {});
  if (Draw(random, 2) == 0) {
    return;
  }
  for (const Change& change : forgotten) {
    std::string before = change.at < file.safe.size() ? file.safe.substr(change.at, change.bytes.size()) : "";
    before.resize(change.bytes.size());
    static_cast<void>(!pwrite(call.fd, before.data(), before.size(), static_cast<off_t>(change.at)));
  }
}

// What of a file's bytes is on the disk. One manner for each file and cut: nothing of what was not synced, all of it,
// its beginning, any of its writes, any of its sectors.
std::string Disk::Survivor(const File& file, std::mt19937_64& random) {
  std::string content = file.safe;
  const std::uint64_t manner = Draw(random, 5);
  const std::uint64_t sector = Draw(random, 2) == 0 ? 512 : 4096;
  std::size_t beginning = Draw(random, file.changes.size() + 1);
  for (const Change& change : file.changes) {
    const bool whole = manner == 1 || (manner == 2 && beginning > 0) || (manner >= 3 && Draw(random, 2) == 0);
    if (manner == 2 && beginning > 0) {
      --beginning;
    }
    if (manner != 4 || change.truncation) {
      if (whole) {
        Apply(content, change);
      }
      continue;
    }
    std::uint64_t at = change.at;
    const std::uint64_t end = change.at + change.bytes.size();
    while (at < end) {
      const std::uint64_t next = std::min(end, (at / sector + 1) * sector);
      if (Draw(random, 2) == 0) {
        Apply(content, Change{at, change.bytes.substr(at - change.at, next - at), false});
      }
      at = next;
    }
    if (Draw(random, 2) == 0) {  // the size was written, the bytes were not
      content.resize(std::max<std::size_t>(content.size(), end));
    }
  }
  return content;
}

void Disk::Cut(std::mt19937_64& random) {
  cut_ = true;
  std::map<std::string, FilePtr> names = safe_;
  const std::uint64_t manner = Draw(random, 3);
  for (const auto& renaming : renamings_) {
    if (manner == 0 || (manner == 2 && Draw(random, 2) == 0)) {
      continue;
    }
    for (const Renaming& each : renaming) {
      names[each.path] = each.file;
    }
  }
  std::map<const File*, FilePtr> survivors;
  for (const auto& [path, file] : names) {
    if (!file) {
      continue;
    }
    const auto folder = names.find(FolderOf(path));
    if (FolderOf(path) != root_ && (folder == names.end() || !folder->second)) {
      continue;  // with its folder
    }
    FilePtr& survivor = survivors[file.get()];
    if (!survivor) {
      survivor = std::make_shared<File>();
      survivor->folder = file->folder;
      survivor->safe = Survivor(*file, random);
    }
    left_[path] = survivor;
  }
}

void Disk::Restore() const {
  for (const auto& entry : std::filesystem::directory_iterator(root_)) {
    std::filesystem::remove_all(entry.path());
  }
  for (const auto& [path, file] : left_) {  // a folder comes before what is in it
    if (file->folder) {
      std::filesystem::create_directory(path);
    } else {
      WriteAll(path, file->safe);
    }
  }
}

}  // namespace packhorse::test
