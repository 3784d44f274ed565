#include "bridge/expiring.h"

#include <optional>
#include <string>
#include <utility>

#include "auth/expiry.h"

namespace packhorse::bridge {
namespace {

class Finder {
 public:
  void File(const std::string& owner, const std::string& what, const std::string& path, auth::WhichEnd which) {
    if (path.empty()) {
      return;
    }
    if (const Result<WallTime> end = auth::CertificatesEnd(path, which)) {
      Add(owner, what + " " + path, *end);
    }
  }
  void Tls(const std::string& owner, const config::Tls& tls) {
    File(owner, "the client certificate", tls.certificate, auth::WhichEnd::kFirst);
    File(owner, "the authorities of", tls.ca, auth::WhichEnd::kLast);
  }
  void Add(const std::string& owner, std::string what, WallTime ends) {
    found_.push_back({owner, std::move(what), ends});
  }
  std::vector<monitor::Expiring> Take() { return std::move(found_); }

 private:
  std::vector<monitor::Expiring> found_;
};

}  // namespace

std::vector<monitor::Expiring> FindExpiring(const config::Config& config, const Destinations& destinations,
                                            MonoTime now) {
  Finder finder;
  for (const config::Source& source : config.sources) {
    finder.Tls("source " + source.name, source.tls);
  }
  for (const DestinationUnit& unit : destinations.units()) {
    const std::string owner = "destination " + unit.config.name;
    finder.Tls(owner, unit.config.tls);
    finder.File(owner, "the authorities of the proxy in", unit.config.proxy.ca, auth::WhichEnd::kLast);
    for (const auto& [name, end] : unit.authorizer->Ends()) {
      finder.Add(owner, "the token '" + name + "'", end);
    }
    if (const std::optional<WallTime> end = unit.destination->Snapshot(now).certificate_ends) {
      finder.Add(owner, "the server's certificate, or one above it,", *end);
    }
  }
  return finder.Take();
}

}  // namespace packhorse::bridge
