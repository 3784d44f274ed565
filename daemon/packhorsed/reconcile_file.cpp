#include "packhorsed/reconcile_file.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "base/file.h"
#include "common/json_parts.h"
#include "health/log.h"

namespace packhorse::daemon {
namespace {

using reconcile::KeptRun;
using KeptRuns = std::map<std::string, KeptRun>;

constexpr std::size_t kMaxBytes = 1U << 20U;
constexpr unsigned kFileMode = 0600;

Result<KeptRuns> ReadRuns(const std::string& path) {
  const Result<std::string> text = ReadFile(path, kMaxBytes);
  RETURN_IF_ERROR(text);
  try {
    KeptRuns all;
    const Json json = Json::parse(*text);
    for (const Json& each : json.at("destinations")) {
      KeptRun& run = all[each.at("name").get<std::string>()];
      run.last_at = WallTime(std::chrono::microseconds(each.at("last_us").get<std::int64_t>()));
      run.differed = each.at("differed").get<bool>();
      run.since = each.at("since_hour").get<std::int32_t>();
      run.url = each.at("url").get<std::string>();
      run.gateway = each.at("gateway").get<std::string>();
    }
    return all;
  } catch (const Json::exception& failure) {
    return Error{ErrorCode::kCorrupt, path + ": " + failure.what()};
  }
}

std::string TextOf(const KeptRuns& all) {
  Json destinations = Json::array();
  for (const auto& [name, run] : all) {
    destinations.push_back({{"name", name},
                            {"last_us", run.last_at.time_since_epoch().count()},
                            {"differed", run.differed},
                            {"since_hour", run.since},
                            {"url", run.url},
                            {"gateway", run.gateway}});
  }
  return Dump({{"destinations", std::move(destinations)}});
}

}  // namespace

ReconcileFile::ReconcileFile(const App& app, reconcile::Reconciler& reconciler)
    : path_(app.config.queue.path + ".reconcile"), reconciler_(reconciler) {
  if (!Exists(path_)) {
    return;
  }
  Result<KeptRuns> all = ReadRuns(path_);
  if (!all) {
    health::Log(health::LogLevel::kWarning, "reconciliation_forgotten",
                "when the clouds were compared last is not known any more: " + all.error().message);
    return;
  }
  written_ = *all;
  reconciler_.Restore(*std::move(all));
}

void ReconcileFile::Look() {
  if (reconciler_.kept() == written_) {
    return;
  }
  written_ = reconciler_.kept();
  const Status written = WriteFileAtomically(path_, TextOf(written_), kFileMode);
  if (!written && !std::exchange(refused_, true)) {
    health::Log(health::LogLevel::kWarning, "reconciliation_not_kept",
                "a restart will forget when the clouds were compared last: " + written.error().message);
  }
}

}  // namespace packhorse::daemon
