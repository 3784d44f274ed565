#include "bridge/table_watch.h"

#include <chrono>

#include "auth/secret.h"
#include "contract/json_folder.h"

namespace packhorse::bridge {
namespace {

constexpr std::chrono::seconds kLookAtTable{10};

}  // namespace

bool TableWatch::Changed(MonoTime now) {
  if (looked_ && now < looked_at_ + kLookAtTable) {
    return false;
  }
  looked_ = true;
  looked_at_ = now;
  std::string stamps;
  for (const std::string& path : contract::JsonFilesOf(folder_ + "/tables", "tables").paths) {
    stamps += path + " " + auth::StampOf({auth::SecretSource::Kind::kFile, path}) + "\n";
  }
  const bool changed = stamps_ != stamps;
  stamps_ = std::move(stamps);
  return changed;
}

}  // namespace packhorse::bridge
