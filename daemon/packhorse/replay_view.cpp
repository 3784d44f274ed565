// What people see of `packhorse replay`.

#include <cmath>

#include "packhorse/json_view.h"
#include "packhorse/views.h"

namespace packhorse::cli {
namespace {

std::string Percent(const JsonView& replay) {
  return Grouped(static_cast<std::uint64_t>(std::floor(100 * replay["progress"].Number().value_or(0)))) + " %";
}

}  // namespace

std::string ReplayStartedText(const std::string& json, const Style& style, WallTime now) {
  const JsonView replay(json);
  const std::string text = "stream " + replay["stream"].Shown() + " to destination " + replay["destination"].Shown() +
                           ", what arrived from " + When(replay["from"], now) + " to " + When(replay["to"], now) +
                           ", at most " + Grouped(replay["rate"].Count()) + " messages a second";
  const auto from = replay["from"].Time();
  const auto stored_from = replay["stored_from"].Time();
  const std::string gone = from && stored_from && *stored_from > *from
                               ? Wrap("from before " + When(replay["stored_from"], now) + " nothing is stored any more",
                                      style.Warning("  ! "), 4)
                               : "";
  return Wrap(text, style.Title("replay " + replay["id"].Shown()) + ": ", 4) + gone +
         "  look with: packhorse replay list\n";
}

std::string ReplaysText(const std::string& json, const Style& style, WallTime now) {
  const std::vector<JsonView> replays = JsonView(json)["replays"].Items();
  if (replays.empty()) {
    return "no replays\n";
  }
  Table table(
      {"ID", "STATE", "STREAM", "DESTINATION", "DONE", "MESSAGES", "SKIPPED", "RECORDS", "DELIVERED", "REFUSED"});
  for (const JsonView& replay : replays) {
    table.Add({replay["id"].Shown(), replay["state"].Shown(), replay["stream"].Shown(), replay["destination"].Shown(),
               Percent(replay), Grouped(replay["messages"].Count()), Grouped(replay["skipped"].Count()),
               Grouped(replay["records"].Count()), Grouped(replay["delivered"].Count()),
               Grouped(replay["refused"].Count())});
  }
  std::string text = table.Text(style);
  for (const JsonView& replay : replays) {
    text += "    " + replay["id"].Shown() + ": what arrived from " + When(replay["from"], now) + " to " +
            When(replay["to"], now) + "; asked for " + When(replay["asked_at"], now) +
            (replay["ended_at"].Exists() ? ", ended " + When(replay["ended_at"], now) : "") + "\n";
  }
  return text;
}

// One line for each that runs to this destination.
std::string RunningReplays(const JsonView& status, const std::string& destination) {
  std::string text;
  for (const JsonView& replay : status["replays"].Items()) {
    if (replay["destination"].Text() == destination) {
      text += "    " + replay["destination"].Shown() + ": replay " + replay["id"].Shown() + " of stream " +
              replay["stream"].Shown() + ", " + Percent(replay) + ", " + Grouped(replay["messages"].Count()) +
              " messages sent again\n";
    }
  }
  return text;
}

}  // namespace packhorse::cli
