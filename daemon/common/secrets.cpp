#include "common/secrets.h"

namespace packhorse::daemon {
namespace {

auth::Options::Type ToType(config::Auth::Type type) {
  switch (type) {
    case config::Auth::Type::kNone:
      return auth::Options::Type::kNone;
    case config::Auth::Type::kBearer:
      return auth::Options::Type::kBearer;
    case config::Auth::Type::kBasic:
      return auth::Options::Type::kBasic;
    case config::Auth::Type::kHeader:
      return auth::Options::Type::kHeader;
  }
  return auth::Options::Type::kNone;
}

}  // namespace

auth::SecretSource ToSource(const config::SecretRef& ref) {
  using From = config::SecretRef::Kind;
  using To = auth::SecretSource::Kind;
  const To kind = ref.kind == From::kFile         ? To::kFile
                  : ref.kind == From::kEnv        ? To::kEnv
                  : ref.kind == From::kCredential ? To::kCredential
                                                  : To::kNone;
  return auth::SecretSource{kind, ref.name};
}

auth::Options AuthOptions(const config::Destination& destination) {
  auth::Options options;
  options.type = ToType(destination.auth.type);
  options.username = destination.auth.username;
  options.header = destination.auth.header;
  options.current = ToSource(destination.auth.secret);
  if (destination.auth.secret.next) {
    options.next = ToSource(*destination.auth.secret.next);
  }
  return options;
}

}  // namespace packhorse::daemon
