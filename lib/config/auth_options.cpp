#include "config/auth_options.h"

#include <algorithm>

#include "base/text.h"

namespace packhorse::config {
namespace {

Status CheckHeaders(const auth::AuthOptions& options, const contract::CloudContract& contract) {
  const auto shown = auth::ShowAuthorized(options, {});
  if (!shown) {
    return {};  // whoever makes the authorizer is told what is wrong
  }
  const std::vector<std::string> names = contract.HeaderNames();
  for (const auto& [name, value] : shown->headers) {
    if (std::find(names.begin(), names.end(), Lower(name)) != names.end()) {
      return Error{ErrorCode::kInvalidArgument, "the contract " + contract.name() + " and auth '" + options.scheme +
                                                    "' both write the header " + name + ": one of the two has to go"};
    }
  }
  return {};
}

}  // namespace

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
  RETURN_IF_ERROR(CheckHeaders(options, contract));
  return options;
}

}  // namespace packhorse::config
