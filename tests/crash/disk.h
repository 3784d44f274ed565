#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "system_calls.h"

namespace packhorse::test {

// A disk that remembers what was synced. It follows the system calls on the files below a folder; a cut of the power
// leaves what was synced and some of the rest: writes may be missing, torn by sectors or there without those before
// them, files may have appeared and gone or not, as POSIX allows. Not thread-safe: SystemCalls calls one at a time.
class Disk {
 public:
  // What lies below `root` is on the disk. Nothing below `volatile_folder` ever is.
  Disk(std::string root, std::string volatile_folder);

  // Whether a call changes what is on the disk or makes it safe.
  bool Concerns(const SystemCall& call) const;
  void Follow(const SystemCall& call);
  // The call, a sync, fails and the disk forgets what it should have written. The program may still read it (as long as
  // the page stays in memory), or no longer.
  void FailSync(const SystemCall& call, std::mt19937_64& random);

  // What is on the disk if the power is cut now.
  void Cut(std::mt19937_64& random);
  bool cut() const { return cut_; }
  // After Cut(): makes the files below `root` what the disk had then.
  void Restore() const;

 private:
  struct Change {
    std::uint64_t at = 0;
    std::string bytes;
    bool truncation = false;  // to `at`
  };
  struct File {
    std::string safe;
    std::vector<Change> changes;  // since
    bool folder = false;
  };
  using FilePtr = std::shared_ptr<File>;
  struct Renaming {
    std::string path;
    FilePtr file;  // null: gone
  };
  static void Apply(std::string& content, const Change& change);
  static std::string Survivor(const File& file, std::mt19937_64& random);
  void SyncFolder(const std::string& path);

  std::string root_;
  std::string volatile_folder_;
  std::map<std::string, FilePtr> files_;          // by path, as the program sees them
  std::map<std::string, FilePtr> safe_;           // as the folders on the disk have them
  std::vector<std::vector<Renaming>> renamings_;  // since, each one atomic
  bool cut_ = false;
  std::map<std::string, FilePtr> left_;  // after the cut; File::safe is the content
};

}  // namespace packhorse::test
