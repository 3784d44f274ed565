#include "auth/configured.h"

namespace packhorse::auth {
namespace {

Options::Type ToType(config::Auth::Type type) {
  switch (type) {
    case config::Auth::Type::kNone:
      return Options::Type::kNone;
    case config::Auth::Type::kBearer:
      return Options::Type::kBearer;
    case config::Auth::Type::kBasic:
      return Options::Type::kBasic;
    case config::Auth::Type::kHeader:
      return Options::Type::kHeader;
  }
  return Options::Type::kNone;
}

}  // namespace

SecretSource Configured(const config::SecretRef& ref) {
  using From = config::SecretRef::Kind;
  using To = SecretSource::Kind;
  const To kind = ref.kind == From::kFile         ? To::kFile
                  : ref.kind == From::kEnv        ? To::kEnv
                  : ref.kind == From::kCredential ? To::kCredential
                                                  : To::kNone;
  return SecretSource{kind, ref.name};
}

Options Configured(const config::Destination& destination) {
  Options options;
  options.type = ToType(destination.auth.type);
  options.username = destination.auth.username;
  options.header = destination.auth.header;
  options.current = Configured(destination.auth.secret);
  if (destination.auth.secret.next) {
    options.next = Configured(*destination.auth.secret.next);
  }
  return options;
}

}  // namespace packhorse::auth
