#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "control/control.h"
#include "packhorse/from_file.h"
#include "packhorse/globals.h"

namespace packhorse::cli {

// An answer, or why there is none: then the message is printed and `exit_code` set.
struct Reply {
  int exit_code = kExitFine;
  std::string json;
  bool ok() const { return exit_code == kExitFine; }
};

// Whoever answers for the queue: the daemon or, where none runs, the queue's file (from_file.h).
class Answerer {
 public:
  // Prints a failure and answers nothing. `patience`: the longest wait for an answer.
  static std::optional<Answerer> Find(const Globals& globals, const std::string& command, int& exit_code,
                                      std::chrono::milliseconds patience);
  Reply Ask(const std::string& command, const std::string& args);

 private:
  Answerer(const Globals& globals, std::unique_ptr<control::Client> client, std::optional<QueueFile> file)
      : globals_(globals), client_(std::move(client)), file_(std::move(file)) {}

  const Globals& globals_;
  std::unique_ptr<control::Client> client_;  // null: the file
  std::optional<QueueFile> file_;
};

inline constexpr std::chrono::seconds kPatience{60};
// One question.
Reply Ask(const Globals& globals, const std::string& command, const std::string& args = "{}",
          std::chrono::milliseconds patience = kPatience);

}  // namespace packhorse::cli
