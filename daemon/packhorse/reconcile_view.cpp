// What people see of `packhorse reconcile`.

#include <algorithm>

#include "packhorse/json_view.h"
#include "packhorse/views.h"

namespace packhorse::cli {
namespace {

std::string Numbered(std::uint64_t count, const std::string& what) { return Grouped(count) + " " + what; }

std::string DifferencesText(const JsonView& report, const Style& style) {
  Table table({"STREAM", "HOUR", "DELIVERED", "CLOUD"});
  std::string commands;
  for (const JsonView& difference : report["differences"].Items()) {
    const std::string what = difference["what"].Text();
    table.Add({difference["stream"].Shown(), difference["hour"].Shown(), Grouped(difference["delivered"].Count()),
               what == "other" ? "as many, but others"
               : what == "sum" ? "as many, other values"
                               : Grouped(difference["cloud"].Count())});
    for (const JsonView& sum : difference["sums"].Items()) {
      table.Add({"  sum of " + sum["measurement"].Shown(), "", sum["delivered"].Shown(), sum["cloud"].Shown()});
    }
    if (difference["replay"].Exists()) {
      commands += "    " + difference["replay"].Shown() + "\n";
    }
  }
  return table.Text(style) + (commands.empty() ? "" : "  send again what the cloud lacks:\n" + commands);
}

std::string ReportText(const JsonView& report, const Style& style, WallTime now) {
  const std::string state = report["state"].Text();
  std::string text = "destination " + report["destination"].Shown() + ": ";
  if (state == "failed") {
    return style.Bad("not compared: ") + text + report["problem"].Shown() + "\n";
  }
  if (state == "not_offered") {
    return text + "not compared: " + report["problem"].Shown() + "\n";
  }
  const std::uint64_t differences = report["difference_count"].Count();
  text += differences == 0 ? style.Good("no difference") : style.Bad(Numbered(differences, "hours differ"));
  text += ", " + Numbered(report["equal"].Count(), "are equal");
  if (report["unsure"].Count() > 0) {
    text += ", " + Numbered(report["unsure"].Count(), "have records on their way");
  }
  if (report["explained"].Count() > 0) {
    text += ", " + Numbered(report["explained"].Count(), "have more in the cloud for a known reason");
  }
  text += "; from " + When(report["from"], now) + " to " + When(report["to"], now) + "\n";
  return differences == 0 ? text : text + DifferencesText(report, style);
}

}  // namespace

std::string ReconcileText(const std::string& json, const Style& style, WallTime now) {
  std::string text;
  for (const JsonView& report : JsonView(json)["destinations"].Items()) {
    text += ReportText(report, style, now);
  }
  return text;
}

bool ReconcileEqual(const std::string& json) {
  const std::vector<JsonView> reports = JsonView(json)["destinations"].Items();
  return std::all_of(reports.begin(), reports.end(), [](const JsonView& report) {
    const std::string state = report["state"].Text();
    return state == "equal" || state == "not_offered";
  });
}

}  // namespace packhorse::cli
