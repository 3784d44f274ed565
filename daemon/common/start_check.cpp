#include "common/start_check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "base/result.h"
#include "config/auth_options.h"
#include "contract/cloud_contract.h"
#include "control/socket.h"
#include "document/problems.h"
#include "queue/recovery/start_obstacle.h"

namespace packhorse::daemon {
namespace {

constexpr std::chrono::milliseconds kPatience{1'000};  // for a daemon that may run
// What systemd makes for the unit at each start (StateDirectory=, RuntimeDirectory=).
constexpr const char* kMadeByTheUnit[] = {"/var/lib/packhorse", "/run/packhorse"};

class StartCheck {
 public:
  StartCheck(const std::string& file, config::Loaded& loaded) : file_(file), loaded_(loaded) {}

  void Run() {
    const config::Config& config = loaded_.config;
    for (std::size_t i = 0; i < config.sources.size(); ++i) {
      CheckPassword("/sources/" + std::to_string(i) + "/password", config.sources[i].password);
    }
    for (std::size_t i = 0; i < config.destinations.size(); ++i) {
      CheckCredentials("/destinations/" + std::to_string(i) + "/auth", config.destinations[i]);
      CheckPassword("/destinations/" + std::to_string(i) + "/proxy/password", config.destinations[i].proxy.password);
    }
    CheckFolderOf("/queue/path", config.queue.path, true);
    CheckSocket(config);
  }

 private:
  // Values are not shown: they may be secrets.
  void Add(const std::string& path, std::string message, std::string value = "", std::string allowed = "") {
    document::Problem problem;
    problem.file = file_;
    problem.path = path;
    problem.value = std::move(value);
    problem.message = std::move(message);
    problem.allowed = std::move(allowed);
    loaded_.problems.push_back(std::move(problem));
  }

  // Outside of the service systemd gives no credentials; the rules of the configuration have said so.
  static bool CanBeRead(const config::SecretRef& secret) {
    return secret.kind != config::SecretRef::Kind::kCredential || std::getenv("CREDENTIALS_DIRECTORY") != nullptr;
  }

  void CheckPassword(const std::string& path, const config::SecretRef& password) {
    for (const config::SecretRef* secret : {&password, static_cast<const config::SecretRef*>(password.next.get())}) {
      if (secret == nullptr || secret->kind == config::SecretRef::Kind::kNone || !CanBeRead(*secret)) {
        continue;
      }
      const auto read = auth::ReadSecret(config::SourceOf(*secret));
      if (!read && !(secret != &password && read.error().code == ErrorCode::kNotFound)) {
        Add(secret == &password ? path : path + "/next", read.error().message);
      }
    }
  }

  void CheckCredentials(const std::string& path, const config::Destination& destination) {
    const auto contract = contract::FindCloudContract(destination.contract, config::PlainSettings(destination));
    if (!contract) {
      return;  // the problems have it
    }
    const auto options = config::AuthOptions(loaded_.config.gateway, destination, **contract);
    if (!options) {
      Add(path, options.error().message);
      return;
    }
    for (const auto& [name, secret] : destination.auth.secrets) {
      if (!CanBeRead(secret) || (secret.next && !CanBeRead(*secret.next))) {
        return;
      }
    }
    if (const auto made = auth::Authorizer::Make(*options); !made) {
      Add(path, made.error().message);
    }
  }

  // Why nothing can be made in the folder; empty when something can. A medium that takes no writes now is no mistake of
  // the configuration: it may take them again.
  static std::string Obstacle(const std::string& folder) {
    struct stat about {};
    if (stat(folder.c_str(), &about) != 0) {
      return errno == ENOENT ? "the folder " + folder + " does not exist"
                             : "the folder " + folder + " cannot be used: " + std::system_category().message(errno);
    }
    if (!S_ISDIR(about.st_mode)) {
      return folder + " is not a folder";
    }
    const bool forbidden = faccessat(AT_FDCWD, folder.c_str(), W_OK | X_OK, AT_EACCESS) != 0 && errno == EACCES;
    return forbidden ? "this user may not write in the folder " + folder : "";
  }

  // `made`: the daemon makes the folder itself where it can.
  void CheckFolderOf(const std::string& key, const std::string& path, bool made) {
    const std::string folder = FolderOf(path);
    struct stat about {};
    const bool absent = stat(folder.c_str(), &about) != 0 && errno == ENOENT;
    if (absent && (folder == kMadeByTheUnit[0] || folder == kMadeByTheUnit[1])) {
      return;
    }
    const std::string obstacle = Obstacle(absent && made ? FolderOf(folder) : folder);
    if (!obstacle.empty()) {
      Add(key, obstacle, path,
          "a folder that the service's user may write: install -d -o packhorse -g packhorse -m 0750 " + folder);
    }
  }

  void CheckSocket(const config::Config& config) {
    const std::string& path = config.control.socket;
    CheckFolderOf("/control/socket", path, FolderOf(path) == config.queue.runtime_dir);
    struct stat about {};
    if (lstat(path.c_str(), &about) != 0) {
      return;
    }
    const bool forbidden = faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) != 0 && errno == EACCES;
    if (!S_ISSOCK(about.st_mode)) {
      Add("/control/socket", "something lies there that is no socket", path,
          "another path, or nothing there: remove it");
    } else if (forbidden) {
      Add("/control/socket", "the socket of another user lies there", path,
          "another path, or nothing there: once no daemon of that user runs, remove it");
    }
  }

  const std::string& file_;
  config::Loaded& loaded_;
};

}  // namespace

void CheckStart(const std::string& file, config::Loaded& loaded) { StartCheck(file, loaded).Run(); }

void CheckQueue(const std::string& file, config::Loaded& loaded) {
  const config::Config& config = loaded.config;
  const auto daemon = control::ConnectTo(config.control.socket, kPatience);
  const bool none =
      !daemon && (daemon.error().code == ErrorCode::kNotFound || daemon.error().code == ErrorCode::kUnavailable);
  const auto obstacle = none ? queue::FindStartObstacle(config.queue.path, config.queue.runtime_dir) : std::nullopt;
  if (obstacle) {
    document::Problem problem;
    problem.severity = obstacle->heals ? document::Problem::Severity::kWarning : document::Problem::Severity::kError;
    problem.file = file;
    problem.path = "/queue/path";
    problem.value = config.queue.path;
    problem.message = obstacle->error.message + (obstacle->heals ? "; until that is over the daemon waits" : "");
    loaded.problems.push_back(std::move(problem));
  }
}

}  // namespace packhorse::daemon
