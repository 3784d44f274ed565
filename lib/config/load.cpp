#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "base/file.h"
#include "base/units.h"
#include "config/bind.h"
#include "config/config.h"
#include "config/rules.h"
#include "document/check.h"
#include "document/problems.h"
#include "document/schema.h"

namespace packhorse::config {
namespace {

Loaded Failed(document::Problems& problems) { return Loaded{Config{}, problems.Take()}; }

Loaded FileFailed(const std::string& file, std::string message, std::string allowed) {
  document::Problems problems(file);
  problems.File(std::move(message), 0, std::move(allowed));
  return Failed(problems);
}

}  // namespace

bool Loaded::ok() const {
  return std::none_of(problems.begin(), problems.end(), [](const document::Problem& problem) {
    return problem.severity == document::Problem::Severity::kError;
  });
}

void Loaded::AddBeside(std::vector<document::Problem> found, bool needed) {
  for (document::Problem& problem : found) {
    if (!needed && problem.severity == document::Problem::Severity::kError) {
      refused.push_back(problem);
      problem.severity = document::Problem::Severity::kWarning;
    }
    problems.push_back(std::move(problem));
  }
}

Loaded Load(const std::string& file) {
  struct stat status {};
  if (stat(file.c_str(), &status) != 0) {
    return FileFailed(file, ErrnoError("cannot be read", errno).message, "");
  }
  if (!S_ISREG(status.st_mode)) {
    return FileFailed(file, S_ISDIR(status.st_mode) ? "is a directory" : "is not a regular file", "a JSON file");
  }
  if (static_cast<std::uint64_t>(status.st_size) > document::kMaxDocumentBytes) {
    return FileFailed(file, "is too large: " + std::to_string(status.st_size) + " bytes",
                      "at most " + std::to_string(document::kMaxDocumentBytes) + " bytes (" +
                          FormatBytes(document::kMaxDocumentBytes) + ")");
  }
  const Result<std::string> text = ReadFile(file, document::kMaxDocumentBytes);
  if (!text) {
    return FileFailed(file, "cannot be read: " + text.error().message, "");
  }
  return Parse(*text, file);
}

Loaded Parse(const std::string& text, const std::string& file) {
  document::Problems problems(file);
  const document::Document document = document::ParseDocument(text);
  if (document.problem) {
    const document::SyntaxProblem& problem = *document.problem;
    const std::string place = problem.line == 0 ? ""
                                                : "line " + std::to_string(problem.line) + ", column " +
                                                      std::to_string(problem.column) + ": ";
    problems.File(place + problem.message, 0, "");
    return Failed(problems);
  }
  const document::Document schema = document::EmbeddedSchema("config.schema.json");
  if (schema.problem) {
    problems.File("the schema of this binary is broken: " + schema.problem->message, 0, "");
    return Failed(problems);
  }
  const document::Node root =
      document::CheckAgainstSchema(document.root, document::Schema(schema.root, schema.root), problems);
  CheckReferences(root, problems);
  CheckTopics(root, problems);
  CheckUrls(root, problems);
  CheckSecrets(root, problems);
  CheckOutcomes(root, problems);
  CheckCombinations(root, problems);
  return Loaded{Bind(root), problems.Take()};
}

std::vector<std::string> SubscriptionFilters(const Config& config, const std::string& source) {
  std::vector<TopicPattern> patterns;
  for (const Stream& stream : config.streams) {
    if (stream.source != source) {
      continue;
    }
    for (const std::string& topic : stream.topics) {
      if (Result<TopicPattern> pattern = TopicPattern::Parse(topic)) {
        patterns.push_back(std::move(*pattern));
      }
    }
  }
  const std::vector<bool> subscribed = Subscribed(patterns);
  std::vector<std::string> filters;
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    if (subscribed[i]) {
      filters.push_back(patterns[i].filter());
    }
  }
  return filters;
}

std::map<std::string, std::string> PlainSettings(const Destination& destination) {
  std::map<std::string, std::string> plain;
  for (const auto& [name, setting] : destination.settings) {
    if (!setting.is_secret()) {
      plain[name] = setting.text;
    }
  }
  return plain;
}

Result<std::string> CodingOf(const Destination& destination, const std::vector<std::string>& taken) {
  const std::string& chosen = destination.compression;
  const auto takes = [&](std::string_view coding) {
    return std::find(taken.begin(), taken.end(), coding) != taken.end();
  };
  const bool open = chosen.empty() || chosen == "auto";
  if (takes("snappy") && open) {
    return std::string("snappy");
  }
  if (chosen.empty() && takes("gzip")) {
    return std::string("gzip");
  }
  if (open) {
    return taken.empty() ? std::string() : taken.front();
  }
  if (takes("snappy") || (chosen != "none" && !takes(chosen))) {
    return Error{ErrorCode::kInvalidArgument,
                 "the contract " + destination.contract + " does not take bodies with this coding"};
  }
  return chosen == "none" ? std::string() : chosen;
}

Result<std::vector<TopicPattern>> PatternsOf(const Stream& stream) {
  std::vector<TopicPattern> patterns;
  for (const std::string& topic : stream.topics) {
    Result<TopicPattern> pattern = TopicPattern::Parse(topic);
    if (!pattern) {
      return pattern.error().With("stream '" + stream.name + "'");
    }
    patterns.push_back(*std::move(pattern));
  }
  return patterns;
}

}  // namespace packhorse::config
