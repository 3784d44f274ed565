// OAuth 2.0 client credentials grant (RFC 6749 section 4.4).

#include "auth/token_scheme.h"
#include "base/encode.h"

namespace packhorse::auth {
namespace {

class Oauth2 final : public TokenScheme {
 public:
  explicit Oauth2(Parameters parameters) : parameters_(std::move(parameters)) {}

 private:
  Question Ask(const RotatingSecrets& secrets, WallTime) const override {
    const std::string& id = TextOf(parameters_, "client_id");
    const std::string& secret = SecretOf(secrets, "client_secret");
    const bool in_body = TextOf(parameters_, "client_auth") == "body";
    Question question;
    question.url = TextOf(parameters_, "token_url");
    question.form = {{"grant_type", "client_credentials"},
                     {"scope", TextOf(parameters_, "scope")},
                     {"audience", TextOf(parameters_, "audience")},
                     {"client_id", in_body ? id : ""},
                     {"client_secret", in_body ? secret : ""}};
    if (!in_body) {
      // RFC 6749 section 2.3.1: both are form-encoded first.
      const Secret pair(PercentEncode(id) + ":" + PercentEncode(secret));
      question.headers.emplace_back("Authorization", "Basic " + Base64(pair.Reveal()));
    }
    return question;
  }

  const Parameters parameters_;
};

}  // namespace

Result<std::unique_ptr<Scheme>> MakeOauth2(const Parameters& parameters) {
  RETURN_IF_ERROR(CheckTokenUrl(TextOf(parameters, "token_url"), "token_url"));
  if (TextOf(parameters, "client_id").empty()) {
    return Error{ErrorCode::kInvalidArgument, "auth: client_id is empty"};
  }
  const std::string& how = TextOf(parameters, "client_auth");
  if (!how.empty() && how != "basic" && how != "body") {
    return Error{ErrorCode::kInvalidArgument, "auth: client_auth is basic or body"};
  }
  return std::unique_ptr<Scheme>(new Oauth2(parameters));
}

}  // namespace packhorse::auth
