#include "auth/authorizer.h"

#include <algorithm>
#include <utility>

#include "auth/expiry.h"
#include "base/mask.h"
#include "base/secret_mark.h"
#include "base/text.h"

namespace packhorse::auth {
namespace {

// Secrets of the scheme and of settings are one key; a setting may be called like a secret of the scheme.
constexpr std::string_view kSettings = "settings.";

std::string_view NameOf(const AuthOptions& options) {
  return options.scheme.empty() ? std::string_view("none") : std::string_view(options.scheme);
}

Error Bad(const AuthOptions& options, std::string message) {
  return {ErrorCode::kInvalidArgument, "auth '" + std::string(NameOf(options)) + "': " + std::move(message)};
}

const SchemeKey* FindKey(const SchemeEntry& entry, std::string_view name, bool secret) {
  const auto found = std::find_if(entry.keys.begin(), entry.keys.end(),
                                  [&](const SchemeKey& key) { return key.name == name && key.secret == secret; });
  return found == entry.keys.end() ? nullptr : &*found;
}

Status CheckNames(const SchemeEntry& entry, const AuthOptions& options) {
  std::vector<std::string> missing;
  for (const SchemeKey& key : entry.keys) {
    const bool there = key.secret ? options.secrets.contains(key.name) : options.parameters.contains(key.name);
    if (key.required && !there) {
      missing.push_back("'" + std::string(key.name) + "'");
    }
  }
  if (!missing.empty()) {
    return Bad(options, Join(missing) + (missing.size() == 1 ? " is missing" : " are missing"));
  }
  for (const auto& [name, text] : options.parameters) {
    const bool free = !entry.free_prefix.empty() && name.starts_with(entry.free_prefix);
    if (!free && FindKey(entry, name, false) == nullptr) {
      return Bad(options, "'" + name + "' is not used");
    }
  }
  for (const auto& [name, place] : options.secrets) {
    if (FindKey(entry, name, true) == nullptr) {
      return Bad(options, "the secret '" + name + "' is not used");
    }
  }
  return {};
}

Result<std::unique_ptr<Scheme>> MakeScheme(const AuthOptions& options) {
  const SchemeEntry* entry = FindScheme(NameOf(options));
  if (entry == nullptr) {
    return Bad(options, "there is no such kind of authentication");
  }
  RETURN_IF_ERROR(CheckNames(*entry, options));
  return entry->make(options.parameters);
}

}  // namespace

Result<std::unique_ptr<Authorizer>> Authorizer::Make(const AuthOptions& options) {
  Result<std::unique_ptr<Scheme>> scheme = MakeScheme(options);
  RETURN_IF_ERROR(scheme);
  SecretPlaces places = options.secrets;
  for (auto& [name, place] : places) {
    const bool document = FindKey(*FindScheme(NameOf(options)), name, true)->document;
    place.current.document = document;
    place.next.document = document;
  }
  for (const auto& [name, place] : options.settings) {
    places.emplace(std::string(kSettings) + name, place);
  }
  const Scheme* rules = scheme->get();
  Result<RotatingSecrets> secrets = RotatingSecrets::Load(
      places, [rules](std::string_view name, const Secret& secret, const SecretSource& source) -> Status {
        return name.starts_with(kSettings) ? rules->Scheme::CheckSecret(name, secret, source)
                                           : rules->CheckSecret(name, secret, source);
      });
  RETURN_IF_ERROR(secrets);
  return std::unique_ptr<Authorizer>(new Authorizer(std::move(scheme).value(), std::move(secrets).value()));
}

Status AddFromContract(std::string_view scheme, const Parameters& parameters, AuthOptions& options) {
  if (scheme.empty()) {
    return {};
  }
  if (options.scheme.empty()) {
    options.scheme = scheme;
  }
  if (options.scheme != scheme) {
    return Bad(options, "the contract wants '" + std::string(scheme) + "'; \"type\" may be left out");
  }
  for (const auto& [name, text] : parameters) {
    options.parameters.try_emplace(name, text);
  }
  return {};
}

Result<OutgoingRequest> ShowAuthorized(const AuthOptions& options, OutgoingRequest request) {
  const Result<std::unique_ptr<Scheme>> scheme = MakeScheme(options);
  RETURN_IF_ERROR(scheme);
  (*scheme)->Show(request, options.secrets);
  return request;
}

std::vector<std::pair<std::string, WallTime>> Authorizer::Ends() const {
  std::vector<std::pair<std::string, WallTime>> ends;
  for (const std::string& name : secrets_.Names()) {
    if (const std::optional<WallTime> end = TokenEnds(*secrets_.Value(name))) {
      ends.emplace_back(name, *end);
    }
  }
  return ends;
}

Result<std::string> Authorizer::Fill(std::string_view text, const OutgoingRequest& request) const {
  if (!HasSecretMark(text)) {
    return std::string(text);
  }
  return FillSecrets(text, [&](std::string_view name) {
    const std::string* own = secrets_.Value(std::string(kSettings) + std::string(name));
    const std::string* value = own == nullptr && request.entry ? request.entry(name) : own;
    if (value != nullptr && value != own) {
      RememberEntry(*value);
    }
    return value;
  });
}

Result<Authorization> Authorizer::Authorize(OutgoingRequest request, WallTime wall, MonoTime now) {
  Result<std::string> target = Fill(request.target, request);
  RETURN_IF_ERROR(target);
  request.target = std::move(target).value();
  for (auto& [name, value] : request.headers) {
    Result<std::string> filled = Fill(value, request);
    RETURN_IF_ERROR(filled);
    value = std::move(filled).value();
  }
  RETURN_IF_ERROR(scheme_->Sign(request, secrets_, wall, now));
  return Authorization{std::move(request.target), std::move(request.headers), generation()};
}

void Authorizer::Succeeded() {
  scheme_->Succeeded();
  secrets_.Succeeded();
}

void Authorizer::BothRefused() {
  scheme_->Succeeded();  // the next request may ask for another token anew
  secrets_.BothRefused();
}

}  // namespace packhorse::auth
