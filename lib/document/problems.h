#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "document/document.h"

namespace packhorse::document {

// One mistake, or one warning, in a file.
struct Problem {
  enum class Severity { kError, kWarning };
  Severity severity = Severity::kError;
  std::string file;
  std::string path;        // JSON pointer, "" for the whole file
  std::size_t line = 0;    // where it stands, counted from 1; 0: nowhere in particular
  std::string value;       // what stands there, shortened; never a secret
  std::string message;     // what is wrong
  std::string allowed;     // what may stand there
  std::string suggestion;  // "did you mean ...?", or empty
};

// "FILE: /streams/0/topics: ... (line ...; is: ...; allowed: ...; did you mean ...?)", one line; "warning: " stands
// before the message of a warning.
std::string Describe(const Problem& problem);

// What there is to say beside the message. `value` empty: the value of the node, as Display() shows it.
struct Details {
  std::string allowed = {};
  std::string suggestion = {};
  std::string value = {};
  bool show_value = true;
};

// Collects what is wrong with one file, at most kMaxProblems. Not thread-safe.
class Problems {
 public:
  static constexpr std::size_t kMaxProblems = 1'000;

  explicit Problems(std::string file) : file_(std::move(file)) {}

  void Error(const Node& at, std::string message, Details details = {}) {
    Add(Problem::Severity::kError, at, std::move(message), std::move(details));
  }
  void Warning(const Node& at, std::string message, Details details = {}) {
    Add(Problem::Severity::kWarning, at, std::move(message), std::move(details));
  }
  // About the file as a whole, or a place in it that is no value.
  void File(std::string message, std::size_t line, std::string allowed);

  // In file order.
  std::vector<Problem> Take();

 private:
  struct Entry {
    std::size_t order;
    Problem problem;
  };
  void Add(Problem::Severity severity, const Node& at, std::string message, Details details);

  std::string file_;
  std::vector<Entry> entries_;
  std::size_t left_out_ = 0;
};

}  // namespace packhorse::document
