#include "document/problems.h"

#include <algorithm>
#include <limits>

#include "base/text.h"

namespace packhorse::document {
namespace {

// Keeps a problem on one line, whatever stands in the file.
std::string OneLine(std::string_view text) {
  std::string line;
  for (const char c : text) {
    line += IsControl(c) ? '?' : c;
  }
  return line;
}

void AddPart(std::string& parts, std::string_view label, std::string_view text) {
  if (text.empty()) {
    return;
  }
  parts += parts.empty() ? "" : "; ";
  parts += label;
  parts += text;
}

}  // namespace

std::string Describe(const Problem& problem) {
  std::string text = problem.file + ": ";
  if (!problem.path.empty()) {
    text += problem.path + ": ";
  }
  if (problem.severity == Problem::Severity::kWarning) {
    text += "warning: ";
  }
  text += problem.message;
  std::string parts;
  AddPart(parts, "line ", problem.line > 0 ? std::to_string(problem.line) : "");
  AddPart(parts, "is: ", problem.value);
  AddPart(parts, "allowed: ", problem.allowed);
  AddPart(parts, "", problem.suggestion);
  return OneLine(parts.empty() ? text : text + " (" + parts + ")");
}

void Problems::File(std::string message, std::size_t line, std::string allowed) {
  Problem problem;
  problem.file = file_;
  problem.line = line;
  problem.message = std::move(message);
  problem.allowed = std::move(allowed);
  entries_.push_back(Entry{0, std::move(problem)});
}

void Problems::Add(Problem::Severity severity, const Node& at, std::string message, Details details) {
  if (entries_.size() >= kMaxProblems) {
    ++left_out_;
    return;
  }
  Problem problem;
  problem.severity = severity;
  problem.file = file_;
  problem.path = at.pointer;
  problem.line = at.line;
  if (details.show_value) {
    problem.value = details.value.empty() ? Display(at) : std::move(details.value);
  }
  problem.message = std::move(message);
  problem.allowed = std::move(details.allowed);
  problem.suggestion = std::move(details.suggestion);
  entries_.push_back(Entry{at.order, std::move(problem)});
}

std::vector<Problem> Problems::Take() {
  if (left_out_ > 0) {
    Problem problem;
    problem.file = file_;
    problem.message = "and " + std::to_string(left_out_) + " more problems";
    entries_.push_back(Entry{std::numeric_limits<std::size_t>::max(), std::move(problem)});
    left_out_ = 0;
  }
  std::stable_sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) { return a.order < b.order; });
  std::vector<Problem> problems;
  problems.reserve(entries_.size());
  for (Entry& entry : entries_) {
    problems.push_back(std::move(entry.problem));
  }
  entries_.clear();
  return problems;
}

}  // namespace packhorse::document
