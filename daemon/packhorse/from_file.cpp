#include "packhorse/from_file.h"

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/dead_json.h"
#include "common/export.h"
#include "common/load.h"
#include "common/queue_json.h"
#include "config/config.h"
#include "queue/inspect/check.h"

namespace packhorse::cli {
namespace {

using Json = nlohmann::ordered_json;
using queue::FileView;

struct Source {
  FileView& view;
  const config::Queue& config;
  const Json& args;

  std::uint64_t Number(const char* name) const { return args.value(name, std::uint64_t{0}); }
};

Result<std::string> Ledger(const Source& from) {
  const bool check = from.args.value("check", false);
  std::vector<std::string> problems;
  if (check) {
    Result<queue::CheckReport> report = queue::CheckAll(from.config.path);
    RETURN_IF_ERROR(report);
    problems = std::move(report->problems);
  }
  return daemon::LedgerJson(from.view.ReadLedger(), problems, check);
}

Result<std::string> QueueStats(const Source& from) {
  const Result<queue::Stats> stats = from.view.Snapshot();
  const Result<std::vector<FileView::PendingSummary>> summaries = from.view.PendingSummaries();
  if (!stats || !summaries) {
    return stats ? summaries.error() : stats.error();
  }
  std::vector<daemon::DestinationLoad> destinations;
  for (const FileView::PendingSummary& summary : *summaries) {
    destinations.push_back({summary.destination, summary.pending, 0, summary.oldest_at});
  }
  return daemon::QueueStatsJson(from.config, *stats, destinations);
}

Result<std::string> QueueVerify(const Source& from) {
  const Result<queue::CheckReport> report = queue::CheckAll(from.config.path);
  return report ? Result<std::string>(daemon::CheckJson(from.view.ids().current(), *report))
                : Result<std::string>(report.error());
}

Result<std::string> QueueExport(const Source& from) {
  daemon::ExportArguments arguments;
  arguments.stream = from.args.value("stream", "");
  arguments.lane = from.args.value("lane", "");
  arguments.at = from.args.value("at", "");
  arguments.from_us = from.args.value("from_us", std::int64_t{0});
  arguments.to_us = from.args.value("to_us", std::int64_t{0});
  arguments.limit = from.args.value("limit", std::int64_t{0});
  const Result<daemon::ExportRequest> request = daemon::ReadExportRequest(arguments);
  return request ? daemon::ReadExportPage(from.config.path, *request, SIZE_MAX) : Result<std::string>(request.error());
}

Result<std::string> QueuePeek(const Source& from) {
  const std::string only = from.args.value("destination", "");
  const std::string lane_name = from.args.value("lane", "");
  std::vector<daemon::Waiting> waiting;
  for (const std::string& name : only.empty() ? from.view.Destinations() : std::vector<std::string>{only}) {
    for (const Lane lane : kAllLanes) {
      if (!lane_name.empty() && lane_name != Name(lane)) {
        continue;
      }
      Result<FileView::Waiting> next =
          from.view.Peek(name, lane, static_cast<std::size_t>(from.Number("limit")), daemon::kPeekBytes);
      RETURN_IF_ERROR(next);
      if (next->messages > 0) {
        waiting.push_back({name, lane, next->messages, std::move(next->next)});
      }
    }
  }
  return daemon::PeekJson(from.view.ids(), waiting, [&](StreamId id) { return from.view.StreamName(id); });
}

Result<std::string> Quarantine(const Source& from) {
  const auto limit = static_cast<std::size_t>(from.Number("limit"));
  Result<std::vector<queue::QuarantinedMessage>> messages = from.view.Quarantined(limit + kLanes, from.Number("after"));
  RETURN_IF_ERROR(messages);
  const bool more = daemon::CutPage(*messages, limit);
  return daemon::QuarantineJson(from.view.ids(), *messages, more);
}

Result<std::string> DeadList(const Source& from) {
  const auto limit = static_cast<std::size_t>(from.Number("limit"));
  const auto after = static_cast<std::int64_t>(from.Number("after"));
  const Result<std::vector<queue::DeadLetter>> letters = from.view.DeadLetters(limit + 1, after);
  const Result<std::vector<queue::Suspect>> suspects = from.view.Suspects(limit + 1, after);
  if (!letters || !suspects) {
    return letters ? suspects.error() : letters.error();
  }
  return daemon::DeadListJson(*letters, *suspects, limit);
}

Result<std::string> DeadExportPage(const Source& from) {
  const auto after = static_cast<std::int64_t>(from.Number("after"));
  const Result<std::vector<queue::DeadLetter>> letters = from.view.DeadLetters(daemon::kDeadPage + 1, after);
  const Result<std::vector<queue::Suspect>> suspects = from.view.Suspects(daemon::kDeadPage + 1, after);
  if (!letters || !suspects) {
    return letters ? suspects.error() : letters.error();
  }
  return daemon::DeadExportJson(*letters, *suspects, from.args.value("destination", ""), SIZE_MAX);
}

Result<std::string> DeadShow(const Source& from) {
  const auto id = static_cast<std::int64_t>(from.Number("id"));
  if (const Result<queue::Suspect> suspect = from.view.FindSuspect(id)) {
    return daemon::OneSuspectJson(*suspect);
  }
  const Result<queue::DeadLetter> letter = from.view.FindDeadLetter(id);
  return letter ? Result<std::string>(daemon::DeadLetterJson(*letter)) : Result<std::string>(letter.error());
}

Result<std::string> Where(const Source& from) {
  const Result<RecordKey> key = daemon::ReadRecordId(from.args.value("record_id", ""));
  RETURN_IF_ERROR(key);
  RETURN_IF_ERROR(daemon::CheckOfQueue(*key, from.view.ids()));
  const Result<queue::MessageTrace> found = from.view.Trace(key->lane, key->sequence, key->index);
  return found ? Result<std::string>(daemon::WhereJson(*key, *found)) : Result<std::string>(found.error());
}

using Answer = Result<std::string> (*)(const Source&);
constexpr std::array<std::pair<const char*, Answer>, 10> kAnswers = {{{"ledger", Ledger},
                                                                      {"queue_stats", QueueStats},
                                                                      {"queue_verify", QueueVerify},
                                                                      {"queue_export", QueueExport},
                                                                      {"queue_peek", QueuePeek},
                                                                      {"queue_quarantine", Quarantine},
                                                                      {"dead_list", DeadList},
                                                                      {"dead_show", DeadShow},
                                                                      {"dead_export", DeadExportPage},
                                                                      {"where", Where}}};

Answer Find(const std::string& command) {
  for (const auto& [name, answer] : kAnswers) {
    if (command == name) {
      return answer;
    }
  }
  return nullptr;
}

}  // namespace

std::optional<Result<QueueFile>> QueueFile::Open(const Globals& globals, const Error& unreachable,
                                                 const std::string& command) {
  const bool stopped = unreachable.code == ErrorCode::kUnavailable;
  if (Find(command) == nullptr || !stopped || (!globals.socket.empty() && globals.config_file.empty())) {
    return std::nullopt;
  }
  config::Loaded loaded = config::Load(ConfigFile(globals));
  config::Queue& config = loaded.config.queue;
  if (config.path.empty()) {
    return std::nullopt;
  }
  Result<FileView> view = FileView::Open(config.path, config.runtime_dir);
  if (!view && view.error().code == ErrorCode::kNotFound) {
    return std::nullopt;
  }
  if (!view) {
    return Result<QueueFile>(
        Error{ErrorCode::kUnavailable,
              "packhorsed is not running, and its queue cannot be read without it: " + view.error().message});
  }
  return Result<QueueFile>(QueueFile(std::move(config), *std::move(view)));
}

Result<std::string> QueueFile::Ask(const std::string& command, const std::string& args) {
  const Json parsed = Json::parse(args, nullptr, false);
  const Result<std::string> text = Find(command)(Source{view_, config_, parsed});
  RETURN_IF_ERROR(text);
  Json json = Json::parse(*text);
  json["from_file"] = {{"path", config_.path},
                       {"journal_operations", view_.uncheckpointed().operations},
                       {"journal_bytes", view_.uncheckpointed().bytes},
                       {"journal_problem", view_.uncheckpointed().problem}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace packhorse::cli
