#include "config/auth_options.h"

namespace packhorse::config {

auth::SecretSource SourceOf(const SecretRef& ref) { return {ref.kind, ref.name}; }

auth::Options AuthOptions(const Destination& destination) {
  auth::Options options;
  options.type = destination.auth.type;
  options.username = destination.auth.username;
  options.header = destination.auth.header;
  options.current = SourceOf(destination.auth.secret);
  if (destination.auth.secret.next) {
    options.next = SourceOf(*destination.auth.secret.next);
  }
  return options;
}

}  // namespace packhorse::config
