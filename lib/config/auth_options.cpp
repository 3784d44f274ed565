#include "config/auth_options.h"

namespace packhorse::config {

auth::SecretSource SourceOf(const SecretRef& ref) { return {ref.kind, ref.name}; }

auth::SecretPlace PlaceOf(const SecretRef& ref) {
  return {SourceOf(ref), ref.next ? SourceOf(*ref.next) : auth::SecretSource()};
}

Result<auth::AuthOptions> AuthOptions(const Gateway& gateway, const Destination& destination,
                                      const contract::CloudContract& contract) {
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
  contract::BatchHeader sender;
  sender.gateway_id = gateway.id;
  sender.gateway_attributes = gateway.attributes;
  const contract::RequestAuth said = contract.Auth(sender);
  RETURN_IF_ERROR(auth::AddFromContract(said.scheme, said.parameters, options));
  return options;
}

}  // namespace packhorse::config
