// `packhorse queue export`: page by page, so that neither side holds more than a page.

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "packhorse/ask.h"
#include "packhorse/commands.h"
#include "packhorse/views.h"

namespace packhorse::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string Dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

// Microseconds since 1970; 0 for an empty text.
std::optional<std::int64_t> Micros(const char* option, const std::string& text) {
  if (text.empty()) {
    return 0;
  }
  if (const std::optional<WallTime> time = ParseTime(text)) {
    return time->time_since_epoch().count();
  }
  std::fprintf(stderr, "packhorse: %s must be a time like 2026-11-20T09:12:01Z, not '%s'\n", option,
               Printable(text).c_str());
  return std::nullopt;
}

void Say(const std::string& text) { std::fputs(text.c_str(), stderr); }

struct Progress {
  std::int64_t written = 0;
  std::int64_t left_out = 0;
};

void WriteMessages(const Json& page, std::int64_t limit, Progress& progress) {
  for (const Json& message : page.value("messages", Json::array())) {
    if (limit > 0 && progress.written >= limit) {
      return;
    }
    progress.left_out += message.contains("payload_left_out") ? 1 : 0;
    ++progress.written;
    PrintOut(Dump(message));
  }
}

}  // namespace

int ExportQueue(const Globals& globals, const ExportOptions& options) {
  const std::optional<std::int64_t> from = Micros("--from", options.from);
  const std::optional<std::int64_t> to = from ? Micros("--to", options.to) : std::nullopt;
  if (!to) {
    return kExitUsage;
  }
  int exit_code = kExitFine;
  std::optional<Answerer> answerer = Answerer::Find(globals, "queue_export", exit_code, kPatience);
  if (!answerer) {
    return exit_code;
  }
  Json args = {{"stream", options.stream}, {"lane", options.lane}, {"from_us", *from}, {"to_us", *to}};
  Progress progress;
  do {
    args["limit"] = options.limit > 0 ? options.limit - progress.written : 0;
    const Reply reply = answerer->Ask("queue_export", Dump(args));
    if (!reply.ok()) {
      return reply.exit_code;
    }
    const Json page = Json::parse(reply.json, nullptr, false);
    if (!args.contains("at")) {
      Say(FromFileText(reply.json, Style(false)));
    }
    WriteMessages(page, options.limit, progress);
    args["at"] = page.is_object() ? page.value("next", Json()) : Json();
  } while (args["at"].is_string() && std::ferror(stdout) == 0 &&
           (options.limit == 0 || progress.written < options.limit));
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    Say("packhorse: the export could not be written to its end: is the disk full?\n");
    return kExitProblem;
  }
  if (progress.left_out > 0) {
    Say("packhorse: " + Grouped(static_cast<std::uint64_t>(progress.left_out)) +
        " payloads are too large for the control socket and were left out: stop packhorsed and export again\n");
    return kExitProblem;
  }
  return kExitFine;
}

}  // namespace packhorse::cli
