#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <set>
#include <string>
#include <string_view>

#include "auth/scheme.h"
#include "config/files.h"
#include "config/rules.h"

namespace packhorse::config {
namespace {

void Report(const document::Node& at, const std::optional<FileProblem>& problem, document::Problems& problems) {
  if (problem) {
    problems.Error(at, problem->message, {.allowed = problem->allowed});
  }
}

void CheckEnvironment(const document::Node& name, document::Problems& problems) {
  const char* value = std::getenv(name.text.c_str());
  if (value == nullptr || *value == '\0') {
    problems.Error(name,
                   value == nullptr ? "this environment variable is not set" : "this environment variable is empty",
                   {.allowed = "a variable of the service; for a check by hand, set it in the shell as well"});
  }
}

void CheckCredential(const document::Node& name, document::Problems& problems) {
  const char* folder = std::getenv("CREDENTIALS_DIRECTORY");
  if (folder == nullptr || *folder == '\0') {
    problems.Warning(name, "can only be checked within the service: $CREDENTIALS_DIRECTORY is not set here");
    return;
  }
  // systemd gives the files to the service alone; their mode is not ours to judge.
  Report(name, CheckFile(std::string(folder) + "/" + name.text, kMaxSecretBytes, false), problems);
}

void CheckOneSecret(const document::Node& secret, document::Problems& problems) {
  if (secret["file"].usable()) {
    Report(secret["file"], CheckFile(secret["file"].text, kMaxSecretBytes, true), problems);
  }
  if (secret["env"].usable()) {
    CheckEnvironment(secret["env"], problems);
  }
  if (secret["credential"].usable()) {
    CheckCredential(secret["credential"], problems);
  }
}

// Between two rotations there is no next secret.
bool IsThere(const document::Node& next) {
  if (next["file"].usable()) {
    return access(next["file"].text.c_str(), F_OK) == 0 || errno != ENOENT;
  }
  if (next["env"].usable()) {
    return std::getenv(next["env"].text.c_str()) != nullptr;
  }
  const char* folder = std::getenv("CREDENTIALS_DIRECTORY");
  return next["credential"].usable() && folder != nullptr &&
         access((std::string(folder) + "/" + next["credential"].text).c_str(), F_OK) == 0;
}

bool SamePlace(const document::Node& a, const document::Node& b) {
  for (const char* kind : {"file", "env", "credential"}) {
    if (a[kind].usable() && b[kind].usable() && a[kind].text == b[kind].text) {
      return true;
    }
  }
  return false;
}

void CheckSecret(const document::Node& secret, document::Problems& problems) {
  CheckOneSecret(secret, problems);
  const document::Node& next = secret["next"];
  if (IsThere(next)) {
    CheckOneSecret(next, problems);
  }
  if (SamePlace(secret, next)) {
    problems.Warning(next, "is the same as the secret beside it", {.show_value = false});
  }
}

// Without a type they are for the scheme of the contract.
void CheckAuthSecrets(const document::Node& auth, document::Problems& problems) {
  std::set<std::string_view> seen;
  for (const auth::SchemeEntry& scheme : auth::Schemes()) {
    const bool meant = auth["type"].usable() ? auth["type"].text == scheme.name : scheme.in_contracts;
    for (const auth::SchemeKey& key : scheme.keys) {
      if (meant && key.secret && seen.insert(key.name).second) {
        CheckSecret(auth[key.name], problems);
      }
    }
  }
}

void CheckTls(const document::Node& tls, document::Problems& problems) {
  for (const char* name : {"ca", "certificate", "key"}) {
    if (tls[name].usable()) {
      Report(tls[name], CheckPemFile(tls[name].text, std::string_view(name) == "key"), problems);
    }
  }
  const bool certificate = tls.Find("certificate") != nullptr;
  if (certificate != (tls.Find("key") != nullptr)) {
    problems.Error(
        tls, certificate ? "\"key\" is missing beside \"certificate\"" : "\"certificate\" is missing beside \"key\"",
        {.allowed = "both or none", .show_value = false});
  }
}

}  // namespace

void CheckSecrets(const document::Node& root, document::Problems& problems) {
  for (const document::Node& source : root["sources"].items) {
    CheckSecret(source["password"], problems);
    CheckTls(source["tls"], problems);
  }
  for (const document::Node& destination : root["destinations"].items) {
    CheckAuthSecrets(destination["auth"], problems);
    for (const document::Member& setting : destination["settings"].members) {
      if (setting.value.kind == document::Node::Kind::kObject) {
        CheckSecret(setting.value, problems);
      }
    }
    CheckTls(destination["tls"], problems);
    CheckSecret(destination["proxy"]["password"], problems);
    if (destination["proxy"]["ca"].usable()) {
      Report(destination["proxy"]["ca"], CheckPemFile(destination["proxy"]["ca"].text, false), problems);
    }
  }
}

}  // namespace packhorse::config
