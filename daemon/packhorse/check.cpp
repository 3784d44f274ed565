#include "packhorse/check.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "base/units.h"
#include "common/load.h"
#include "common/start_check.h"
#include "config/config.h"
#include "document/problems.h"
#include "packhorse/format.h"

namespace packhorse::cli {
namespace {

using Json = nlohmann::ordered_json;
using document::Problem;

constexpr char kServiceUser[] = "packhorse";  // User= of the unit

Json ProblemJson(const Problem& problem) {
  return {{"severity", problem.severity == Problem::Severity::kError ? "error" : "warning"},
          {"file", problem.file},
          {"path", problem.path},
          {"value", problem.value},
          {"message", problem.message},
          {"allowed", problem.allowed},
          {"suggestion", problem.suggestion}};
}

void PrintJson(const std::string& file, const std::string& user, const config::Loaded& loaded) {
  const daemon::ProblemCount count = daemon::Count(loaded.problems);
  Json json = {{"ok", loaded.ok()},
               {"file", file},
               {"user", user},
               {"errors", count.errors},
               {"warnings", count.warnings},
               {"problems", Json::array()}};
  for (const Problem& problem : loaded.problems) {
    json["problems"].push_back(ProblemJson(problem));
  }
  PrintOut(json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

std::string AsUser(const std::string& name) { return name.empty() ? "" : " (for user " + name + ")"; }

std::string Plan(const config::Config& config) {
  std::string text = "  gateway " + config.gateway.id + "\n";
  for (const config::Source& source : config.sources) {
    text += Wrap("source " + source.name + ": " + Join(source.urls) + " as client " + source.client_id, "  ", 4);
  }
  for (const config::Stream& stream : config.streams) {
    text += Wrap("stream " + stream.name + ": " + Join(stream.topics) + " from " + stream.source + ", decoded by " +
                     stream.contract + ", to " + Join(stream.destinations) +
                     (stream.shadows.empty() ? "" : ", tried with " + Join(stream.shadows)) + " (lane " +
                     std::string(Name(stream.lane)) + ")",
                 "  ", 4);
  }
  for (const config::Destination& destination : config.destinations) {
    text += Wrap(
        "destination " + destination.name + ": " + destination.url + " by " + destination.contract +
            (destination.rollout ? ", " + destination.rollout->contract + " coming into use" : "") + ", up to " +
            Grouped(destination.batch.max_records) + " records or " + FormatBytes(destination.batch.max_bytes) +
            " or " + FormatDuration(destination.batch.max_age) + " per batch, " +
            (destination.limits.empty() ? "no rate limit" : std::to_string(destination.limits.size()) + " rate limits"),
        "  ", 4);
  }
  for (const config::Destination& shadow : config.shadows) {
    text += Wrap("shadow " + shadow.name + ": " + shadow.url + " by " + shadow.contract, "  ", 4);
  }
  return text + Wrap("queue " + config.queue.path + ": up to " + FormatBytes(config.queue.max_bytes), "  ", 4);
}

// The service reads the files that the configuration names: what counts is what its user may do. Only root can be
// another user; it is one from here on. Who it is now.
Result<std::string> BecomeUser(const std::string& wanted) {
  const bool root = geteuid() == 0;
  const std::string name = wanted.empty() && root ? kServiceUser : wanted;
  const passwd* user = name.empty() ? getpwuid(geteuid()) : getpwnam(name.c_str());
  if (user == nullptr) {
    return wanted.empty() ? Result<std::string>(std::string())
                          : Error{ErrorCode::kNotFound, "there is no user '" + Printable(wanted) + "'"};
  }
  if (user->pw_uid == geteuid()) {
    return std::string(user->pw_name);
  }
  if (!root) {
    return Error{ErrorCode::kPermissionDenied, "only root can check as another user; try again with sudo"};
  }
  const std::string became = user->pw_name;
  const uid_t uid = user->pw_uid;
  const gid_t gid = user->pw_gid;
  if (initgroups(became.c_str(), gid) != 0 || setgid(gid) != 0 || setuid(uid) != 0) {
    return Error{ErrorCode::kPermissionDenied, "cannot become user '" + became + "'"};
  }
  return became;
}

}  // namespace

int Check(const Globals& globals, const std::string& file, const std::string& user) {
  const Result<std::string> as = BecomeUser(user);
  if (!as) {
    std::fprintf(stderr, "packhorse: %s\n", as.error().message.c_str());
    return kExitUsage;
  }
  const std::string path = file.empty() ? ConfigFile(globals) : file;
  config::Loaded loaded = daemon::LoadConfiguration(path);
  if (loaded.ok()) {
    daemon::CheckQueue(path, loaded);
    daemon::CheckRates(path, loaded);
  }
  const int exit_code = loaded.ok() ? kExitFine : daemon::kExitBadConfiguration;
  if (globals.json) {
    PrintJson(path, *as, loaded);
    return exit_code;
  }
  const Style style = Style::Detect();
  for (const Problem& problem : loaded.problems) {
    PrintOut(Printable(document::Describe(problem)));
  }
  const std::string summary = daemon::Summary(daemon::Count(loaded.problems));
  if (!loaded.ok()) {
    PrintOut(style.Bad(summary) + AsUser(*as));
    return exit_code;
  }
  PrintOut(style.Good(path + ": OK") + (loaded.problems.empty() ? "" : ", " + summary) + AsUser(*as));
  PrintOut(Plan(loaded.config));
  return exit_code;
}

}  // namespace packhorse::cli
