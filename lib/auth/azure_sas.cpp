// Shared access signatures of Azure IoT Hub, Event Hubs and Service Bus: a token over a resource and its end.

#include "auth/crypto.h"
#include "auth/scheme.h"
#include "base/encode.h"

namespace packhorse::auth {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::seconds kLasts = 1h;
constexpr std::chrono::seconds kAhead = 5min;
constexpr std::string_view kHost = "{url.host}";

class AzureSas final : public Scheme {
 public:
  AzureSas(std::string resource, std::string policy, bool base64)
      : resource_(std::move(resource)), policy_(std::move(policy)), base64_(base64) {}

  Status CheckSecret(std::string_view name, const Secret& secret, const SecretSource& source) const override {
    RETURN_IF_ERROR(Scheme::CheckSecret(name, secret, source));
    if (base64_ && !DecodeBase64(secret.Reveal())) {
      return Error{ErrorCode::kInvalidArgument, "the secret of '" + source.name + "' is not base64"};
    }
    return {};
  }

  Status Sign(OutgoingRequest& request, const RotatingSecrets& secrets, WallTime wall, MonoTime) override {
    // Also where the clock was set back: a token for far ahead may be refused.
    const bool fits = wall + kAhead < ends_ && wall + kLasts >= ends_;
    if (!fits || version_ != secrets.version()) {
      ends_ = wall + kLasts;
      version_ = secrets.version();
      token_ = Secret(TokenFor(request.host, SecretOf(secrets, "key")));
    }
    request.headers.emplace_back("Authorization", token_.Reveal());
    return {};
  }
  void Show(OutgoingRequest& request, const SecretPlaces&) const override {
    const std::string hidden = kHidden;
    request.headers.emplace_back("Authorization", "SharedAccessSignature sr=" + Resource(request.host) +
                                                      "&sig=" + hidden + "&se=" + hidden +
                                                      (policy_.empty() ? "" : "&skn=" + PercentEncode(policy_)));
  }

 private:
  std::string Resource(std::string_view host) const {
    std::string resource = resource_;
    if (const std::size_t at = resource.find(kHost); at != std::string::npos) {
      resource.replace(at, kHost.size(), host);
    }
    return PercentEncode(resource);
  }
  std::string TokenFor(std::string_view host, const std::string& key) const {
    const std::string encoded = Resource(host);
    const std::string ends =
        std::to_string(std::chrono::duration_cast<std::chrono::seconds>(ends_.time_since_epoch()).count());
    const Secret bytes(base64_ ? DecodeBase64(key).value_or("") : key);
    const std::string signature = Base64(Hmac(Hash::kSha256, bytes.Reveal(), encoded + "\n" + ends));
    std::string token = "SharedAccessSignature sr=" + encoded + "&sig=" + PercentEncode(signature) + "&se=" + ends;
    return policy_.empty() ? token : token + "&skn=" + PercentEncode(policy_);
  }

  const std::string resource_;
  const std::string policy_;
  const bool base64_;
  Secret token_;
  WallTime ends_{};
  std::uint64_t version_ = 0;  // of the key that signed it
};

}  // namespace

Result<std::unique_ptr<Scheme>> MakeAzureSas(const Parameters& parameters) {
  // IoT Hub signs with the bytes of the key, Event Hubs and Service Bus with its text.
  const std::string& encoding = TextOf(parameters, "key_encoding");
  if (!encoding.empty() && encoding != "base64" && encoding != "text") {
    return Error{ErrorCode::kInvalidArgument, "auth: key_encoding is base64 (IoT Hub) or text (Event Hubs)"};
  }
  if (TextOf(parameters, "resource").empty()) {
    return Error{ErrorCode::kInvalidArgument, "auth: resource is empty"};
  }
  return std::unique_ptr<Scheme>(
      new AzureSas(TextOf(parameters, "resource"), TextOf(parameters, "policy"), encoding != "text"));
}

}  // namespace packhorse::auth
