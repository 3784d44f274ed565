#pragma once

#include <optional>
#include <string>

#include "packhorsed/app.h"

namespace packhorse::daemon {

// Open events that a start could not find again, and acknowledgements, are kept in the runtime folder: over a restart
// of the daemon, not of the machine. Where that folder is no tmpfs they are written at an orderly end only. A file that
// cannot be read is told and left out. Loop thread.

// Opens them again. Before anything is raised.
void RestoreEvents(App& app);

class EventFile {
 public:
  explicit EventFile(App& app);

  // Once a second; `last`: at the end.
  void Look(MonoTime now, bool last);

 private:
  App& app_;
  bool tmpfs_;
  bool refused_ = false;                  // told
  std::optional<std::uint64_t> written_;  // of Events::revision()
  MonoTime written_at_{};
  MonoTime started_;
};

}  // namespace packhorse::daemon
