#include "packhorse/check.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/units.h"
#include "common/load.h"
#include "config/config.h"
#include "packhorse/format.h"

namespace packhorse::cli {
namespace {

using Json = nlohmann::ordered_json;
using config::Problem;

std::string Join(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) {
    text += (text.empty() ? "" : ", ") + part;
  }
  return text;
}

Json ProblemJson(const Problem& problem) {
  return {{"severity", problem.severity == Problem::Severity::kError ? "error" : "warning"},
          {"file", problem.file},
          {"path", problem.path},
          {"value", problem.value},
          {"message", problem.message},
          {"allowed", problem.allowed},
          {"suggestion", problem.suggestion}};
}

void PrintJson(const std::string& file, const config::Loaded& loaded) {
  const daemon::ProblemCount count = daemon::Count(loaded.problems);
  Json json = {{"ok", loaded.ok()},
               {"file", file},
               {"errors", count.errors},
               {"warnings", count.warnings},
               {"problems", Json::array()}};
  for (const Problem& problem : loaded.problems) {
    json["problems"].push_back(ProblemJson(problem));
  }
  PrintOut(json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

std::string Plan(const config::Config& config) {
  std::string text = "  gateway " + config.gateway.id + "\n";
  for (const config::Source& source : config.sources) {
    text += Wrap("source " + source.name + ": " + Join(source.urls) + " as client " + source.client_id, "  ", 4);
  }
  for (const config::Stream& stream : config.streams) {
    text += Wrap("stream " + stream.name + ": " + Join(stream.topics) + " from " + stream.source + ", decoded by " +
                     stream.contract + ", to " + Join(stream.destinations) + " (lane " +
                     std::string(Name(stream.lane)) + ")",
                 "  ", 4);
  }
  for (const config::Destination& destination : config.destinations) {
    text += Wrap(
        "destination " + destination.name + ": " + destination.url + " by " + destination.contract + ", up to " +
            Grouped(destination.batch.max_records) + " records or " + FormatBytes(destination.batch.max_bytes) +
            " or " + FormatDuration(destination.batch.max_age) + " per batch, " +
            (destination.limits.empty() ? "no rate limit" : std::to_string(destination.limits.size()) + " rate limits"),
        "  ", 4);
  }
  return text + Wrap("queue " + config.queue.path + ": up to " + FormatBytes(config.queue.max_bytes), "  ", 4);
}

}  // namespace

int Check(const Globals& globals, const std::string& file) {
  const std::string path = file.empty() ? ConfigFile(globals) : file;
  const config::Loaded loaded = daemon::LoadConfiguration(path);
  const int exit_code = loaded.ok() ? kExitFine : daemon::kExitBadConfiguration;
  if (globals.json) {
    PrintJson(path, loaded);
    return exit_code;
  }
  const Style style = Style::Detect();
  for (const Problem& problem : loaded.problems) {
    PrintOut(Printable(config::Describe(problem)));
  }
  const std::string summary = daemon::Summary(daemon::Count(loaded.problems));
  if (!loaded.ok()) {
    PrintOut(style.Bad(summary));
    return exit_code;
  }
  PrintOut(style.Good(path + ": OK") + (loaded.problems.empty() ? "" : ", " + summary));
  PrintOut(Plan(loaded.config));
  return exit_code;
}

}  // namespace packhorse::cli
