#include "config/auth_options.h"

namespace packhorse::config {

auth::SecretSource SourceOf(const SecretRef& ref) { return {ref.kind, ref.name}; }

auth::AuthOptions AuthOptions(const Destination& destination) {
  auth::AuthOptions options;
  options.scheme = destination.auth.scheme;
  options.parameters.insert(destination.auth.parameters.begin(), destination.auth.parameters.end());
  for (const auto& [name, secret] : destination.auth.secrets) {
    options.secrets.emplace(
        name, auth::SecretPlace{SourceOf(secret), secret.next ? SourceOf(*secret.next) : auth::SecretSource()});
  }
  return options;
}

}  // namespace packhorse::config
