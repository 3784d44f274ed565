#include "upload/curl/tls_sessions.h"

#include <curl/curl.h>
#include <sys/stat.h>

namespace packhorse::upload {
namespace {

constexpr std::size_t kMaxFiles = 256;

}  // namespace

TlsSessions::Stamp TlsSessions::StampOf(const std::string& path) {
  struct stat about {};
  if (stat(path.c_str(), &about) != 0) {
    return {};
  }
  return {about.st_dev, about.st_ino, about.st_size, about.st_mtim.tv_sec, about.st_mtim.tv_nsec};
}

bool TlsSessions::FilesChanged(const Endpoint& endpoint) {
  bool changed = false;
  for (const std::string* path : {&endpoint.ca, &endpoint.certificate, &endpoint.key, &endpoint.proxy.ca}) {
    if (path->empty()) {
      continue;
    }
    const Stamp now = StampOf(*path);
    const auto [known, added] = files_.try_emplace(*path, now);
    changed = changed || known->second != now;
    known->second = now;
  }
  if (files_.size() > kMaxFiles) {  // paths of configurations that are long gone
    files_.clear();
    changed = true;
  }
  if (changed) {
    share_.reset();
  }
  return changed;
}

std::shared_ptr<void> TlsSessions::share() {
  if (share_ == nullptr) {
    CURLSH* made = curl_share_init();
    if (made == nullptr) {
      return nullptr;
    }
    curl_share_setopt(made, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    share_ = std::shared_ptr<void>(made, [](void* share) { curl_share_cleanup(static_cast<CURLSH*>(share)); });
  }
  return share_;
}

}  // namespace packhorse::upload
