#include "config/auth_options.h"

namespace packhorse::config {

auth::SecretSource SourceOf(const SecretRef& ref) { return {ref.kind, ref.name}; }

auth::SecretPlace PlaceOf(const SecretRef& ref) {
  return {SourceOf(ref), ref.next ? SourceOf(*ref.next) : auth::SecretSource()};
}

auth::AuthOptions AuthOptions(const Destination& destination) {
  auth::AuthOptions options;
  options.scheme = destination.auth.scheme;
  options.parameters.insert(destination.auth.parameters.begin(), destination.auth.parameters.end());
  for (const auto& [name, secret] : destination.auth.secrets) {
    options.secrets.emplace(name, PlaceOf(secret));
  }
  for (const auto& [name, setting] : destination.settings) {
    if (setting.is_secret()) {
      options.settings.emplace(name, PlaceOf(setting.secret));
    }
  }
  return options;
}

}  // namespace packhorse::config
