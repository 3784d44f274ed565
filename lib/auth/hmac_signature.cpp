// Signed requests of webhooks: a hash with a key over a text that is made of the request, put into headers.

#include <algorithm>
#include <array>

#include "auth/crypto.h"
#include "auth/scheme.h"
#include "base/encode.h"
#include "base/text.h"

namespace packhorse::auth {
namespace {

constexpr std::string_view kHeaders = "headers.";
// Standard Webhooks writes the bytes of a key so, behind this prefix.
constexpr std::string_view kStandardPrefix = "whsec_";

enum class Part : std::uint8_t { kText, kBatchId, kUnixSeconds, kBody, kMethod, kTarget, kHex, kBase64 };

struct Placeholder {
  std::string_view text;
  Part part;
};
constexpr std::array<Placeholder, 7> kPlaceholders{{{"batch.id", Part::kBatchId},
                                                    {"attempt.time|unix_s", Part::kUnixSeconds},
                                                    {"request.body", Part::kBody},
                                                    {"request.method", Part::kMethod},
                                                    {"request.target", Part::kTarget},
                                                    {"signature|hex", Part::kHex},
                                                    {"signature|base64", Part::kBase64}}};

struct Piece {
  Part part = Part::kText;
  std::string text;
};
using Template = std::vector<Piece>;

// Braces are written twice where they are meant.
Result<Template> Compile(std::string_view text, bool with_signature) {
  Template out;
  std::string plain;
  while (!text.empty()) {
    if (text.starts_with("{{") || text.starts_with("}}")) {
      plain += text.front();
      text.remove_prefix(2);
      continue;
    }
    if (text.front() != '{') {
      plain += text.front();
      text.remove_prefix(1);
      continue;
    }
    const std::size_t end = text.find('}');
    const std::string_view inside = text.substr(1, end == std::string_view::npos ? end : end - 1);
    const Placeholder* found = nullptr;
    for (const Placeholder& each : kPlaceholders) {
      const bool signature = each.part == Part::kHex || each.part == Part::kBase64;
      found = each.text == inside && (with_signature || !signature) ? &each : found;
    }
    if (end == std::string_view::npos || found == nullptr) {
      return Error{ErrorCode::kInvalidArgument, "auth: '{" + std::string(inside) + "}' is not known here"};
    }
    out.push_back({Part::kText, std::move(plain)});
    plain.clear();
    out.push_back({found->part, ""});
    text.remove_prefix(end + 1);
  }
  out.push_back({Part::kText, std::move(plain)});
  return out;
}

std::string Expand(const Template& pieces, const OutgoingRequest& request, WallTime wall, std::string_view signature) {
  std::string out;
  for (const Piece& piece : pieces) {
    switch (piece.part) {
      case Part::kText:
        out += piece.text;
        break;
      case Part::kBatchId:
        out += request.batch_id;
        break;
      case Part::kUnixSeconds:
        out += std::to_string(std::chrono::duration_cast<std::chrono::seconds>(wall.time_since_epoch()).count());
        break;
      case Part::kBody:
        out += request.body;
        break;
      case Part::kMethod:
        out += request.method;
        break;
      case Part::kTarget:
        out += request.base_path;
        out += request.target;
        break;
      case Part::kHex:
        out += Hex(signature);
        break;
      case Part::kBase64:
        out += Base64(signature);
        break;
    }
  }
  return out;
}

class HmacSignature final : public Scheme {
 public:
  HmacSignature(Hash hash, bool base64, Template sign, std::vector<std::pair<std::string, Template>> headers)
      : hash_(hash), base64_(base64), sign_(std::move(sign)), headers_(std::move(headers)) {}

  Status CheckSecret(std::string_view name, const Secret& secret, const SecretSource& source) const override {
    RETURN_IF_ERROR(Scheme::CheckSecret(name, secret, source));
    if (!Key(secret.Reveal())) {
      return Error{ErrorCode::kInvalidArgument, "the secret of '" + source.name + "' is not base64"};
    }
    return {};
  }

  Status Sign(OutgoingRequest& request, const RotatingSecrets& secrets, WallTime wall, MonoTime) override {
    const Secret key(Key(SecretOf(secrets, "key")).value_or(""));
    const std::string signature = Hmac(hash_, key.Reveal(), Expand(sign_, request, wall, ""));
    Headers added;
    for (const auto& [name, value] : headers_) {
      added.emplace_back(name, Expand(value, request, wall, signature));
    }
    request.headers.insert(request.headers.end(), added.begin(), added.end());
    return {};
  }
  void Show(OutgoingRequest& request, const SecretPlaces&) const override {
    for (const auto& [name, value] : headers_) {
      request.headers.emplace_back(name, kHidden);
    }
  }

 private:
  std::optional<std::string> Key(std::string_view text) const {
    if (text.starts_with(kStandardPrefix)) {
      return DecodeBase64(text.substr(kStandardPrefix.size()));
    }
    return base64_ ? DecodeBase64(text) : std::string(text);
  }

  const Hash hash_;
  const bool base64_;
  const Template sign_;
  const std::vector<std::pair<std::string, Template>> headers_;
};

std::optional<Hash> HashOf(std::string_view name) {
  if (name.empty() || name == "sha256") {
    return Hash::kSha256;
  }
  return name == "sha512" ? std::optional(Hash::kSha512) : name == "sha1" ? std::optional(Hash::kSha1) : std::nullopt;
}

}  // namespace

Result<std::unique_ptr<Scheme>> MakeHmacSignature(const Parameters& parameters) {
  const std::optional<Hash> hash = HashOf(TextOf(parameters, "hash"));
  if (!hash) {
    return Error{ErrorCode::kInvalidArgument, "auth: hash is sha256, sha512 or sha1"};
  }
  const std::string& encoding = TextOf(parameters, "key_encoding");
  if (!encoding.empty() && encoding != "base64" && encoding != "text") {
    return Error{ErrorCode::kInvalidArgument, "auth: key_encoding is text or base64"};
  }
  Result<Template> sign = Compile(TextOf(parameters, "sign"), false);
  RETURN_IF_ERROR(sign);
  std::vector<std::pair<std::string, Template>> headers;
  for (const auto& [name, text] : parameters) {
    if (!name.starts_with(kHeaders)) {
      continue;
    }
    std::string header = name.substr(kHeaders.size());
    Result<Template> value = Compile(text, true);
    RETURN_IF_ERROR(value);
    if (!IsToken(header)) {
      return Error{ErrorCode::kInvalidArgument, "auth: '" + header + "' cannot be used as header name"};
    }
    for (const Piece& piece : *value) {
      if (piece.part == Part::kBody || std::any_of(piece.text.begin(), piece.text.end(), IsControl)) {
        return Error{ErrorCode::kInvalidArgument, "auth: a header cannot carry what '" + header + "' would get"};
      }
    }
    headers.emplace_back(std::move(header), std::move(value).value());
  }
  if (headers.empty()) {
    return Error{ErrorCode::kInvalidArgument, "auth: no header takes the signature"};
  }
  return std::unique_ptr<Scheme>(
      new HmacSignature(*hash, encoding == "base64", std::move(sign).value(), std::move(headers)));
}

}  // namespace packhorse::auth
