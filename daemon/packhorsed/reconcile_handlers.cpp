// `packhorse reconcile`: what the clouds have is compared with what was delivered.

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/json_parts.h"
#include "packhorsed/handlers.h"

namespace packhorse::daemon {
namespace {

constexpr std::size_t kMaxShown = 1'000;  // differences in an answer

Json DifferenceJson(const std::string& destination, const reconcile::Difference& difference) {
  Json json = {{"stream", difference.of.stream},
               {"hour", reconcile::HourText(difference.of.hour)},
               {"what", std::string(reconcile::Name(difference.what))},
               {"delivered", difference.ours},
               {"cloud", difference.theirs}};
  for (const reconcile::Difference::Sum& sum : difference.sums) {
    json["sums"].push_back(
        {{"measurement", sum.measurement}, {"delivered", sum.ours.ToText()}, {"cloud", sum.theirs.ToText()}});
  }
  if (const std::string command = reconcile::ReplayCommand(destination, difference); !command.empty()) {
    json["replay"] = command;
  }
  return json;
}

Json ReportToJson(const reconcile::Report& report) {
  Json json = {{"destination", report.destination}, {"state", std::string(reconcile::Name(report.state))}};
  if (!report.problem.empty()) {
    json["problem"] = report.problem;
  }
  if (report.from != WallTime{}) {
    json["from"] = FormatUtc(report.from);
    json["to"] = FormatUtc(report.to);
  }
  const reconcile::Comparison& found = report.found;
  json["equal"] = found.equal;
  json["unsure"] = found.unsure.size();
  json["explained"] = found.explained;
  json["foreign_streams"] = found.foreign;
  json["difference_count"] = found.differences.size();
  Json differences = Json::array();
  for (std::size_t i = 0; i < found.differences.size() && i < kMaxShown; ++i) {
    differences.push_back(DifferenceJson(report.destination, found.differences[i]));
  }
  json["differences"] = std::move(differences);
  return json;
}

// Answers when the last of several has come.
struct Gathered {
  Json reports = Json::array();
  std::size_t open = 0;
};

}  // namespace

control::Answer Handlers::Reconcile(const control::Call& call, const Args& args) {
  const auto from = args.Integer("from_us", INT64_MIN, INT64_MIN, INT64_MAX);
  const auto to = args.Integer("to_us", INT64_MIN, INT64_MIN, INT64_MAX);
  const auto chosen = Chosen(args);
  RETURN_IF_ERROR(from);
  RETURN_IF_ERROR(to);
  RETURN_IF_ERROR(chosen);
  const auto time = [](std::int64_t micros) {
    return micros == INT64_MIN ? std::nullopt : std::optional(WallTime(std::chrono::microseconds(micros)));
  };
  auto gathered = std::make_shared<Gathered>();
  gathered->open = chosen->size();
  for (const bridge::DestinationUnit* unit : *chosen) {
    const auto done = [this, gathered, connection = call.connection](const reconcile::Report& report) {
      gathered->reports.push_back(ReportToJson(report));
      if (--gathered->open == 0) {
        ready_.emplace_back(connection, Dump({{"destinations", std::move(gathered->reports)}}));
      }
    };
    RETURN_IF_ERROR(reconciler_.Start(unit->config.name, time(*from), time(*to), done));
  }
  return Later();
}

}  // namespace packhorse::daemon
