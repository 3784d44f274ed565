#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "config/config.h"
#include "packhorse/globals.h"
#include "queue/inspect/file_view.h"

namespace packhorse::cli {

// Answers for a daemon that does not run, from the queue's file that the configuration names. The same JSON as the
// daemon's, with a member `from_file` more: the file, and how much only the journal has. Reads only.
class QueueFile {
 public:
  // Nothing when a file is no help: the command needs the daemon, the daemon may well run (no permission, no answer in
  // time), --socket names one without its configuration, or there is no queue. An error when the file cannot be read.
  static std::optional<Result<QueueFile>> Open(const Globals& globals, const Error& unreachable,
                                               const std::string& command);
  Result<std::string> Ask(const std::string& command, const std::string& args);

 private:
  QueueFile(config::Queue config, queue::FileView view) : config_(std::move(config)), view_(std::move(view)) {}
  config::Queue config_;
  queue::FileView view_;
};

}  // namespace packhorse::cli
