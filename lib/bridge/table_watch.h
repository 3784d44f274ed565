#pragma once

#include <optional>
#include <string>

#include "base/clock.h"

namespace packhorse::bridge {

// Notices that files of tables (contracts.md, "Tables") have changed: files tables/*.json of a folder, looked at every
// ten seconds by what the file system says of them. Loop thread.
class TableWatch {
 public:
  explicit TableWatch(std::string folder) : folder_(std::move(folder)) {}

  // True: they may say something else than at the last time that this was true. So it is at the first look.
  bool Changed(MonoTime now);
  const std::string& folder() const { return folder_; }

 private:
  std::string folder_;
  MonoTime looked_at_{};
  bool looked_ = false;
  std::optional<std::string> stamps_;
};

}  // namespace packhorse::bridge
