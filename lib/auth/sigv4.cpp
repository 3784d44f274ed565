// AWS Signature Version 4 for requests whose body is signed as a whole (Signature Version 4 signing process, AWS
// General Reference). Of the headers it signs Host, Content-Type and all x-amz-*.

#include <algorithm>

#include "auth/crypto.h"
#include "auth/scheme.h"
#include "base/encode.h"
#include "base/text.h"

namespace packhorse::auth {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr std::string_view kEnd = "aws4_request";

// 20150830T123600Z.
std::string AmzDate(WallTime time) {
  std::string out;
  for (const char c : FormatUtc(time)) {
    if (c == '.') {
      break;
    }
    if (c != '-' && c != ':') {
      out += c;
    }
  }
  return out + "Z";
}

int HexValue(char c) { return IsDigit(c) ? c - '0' : Lower(c) >= 'a' && Lower(c) <= 'f' ? Lower(c) - 'a' + 10 : -1; }

std::string PercentDecode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && HexValue(text[i + 1]) >= 0 && HexValue(text[i + 2]) >= 0) {
      out += static_cast<char>(HexValue(text[i + 1]) * 16 + HexValue(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

// The path as it is on the wire; all services but S3 encode it once more.
std::string CanonicalPath(std::string_view path, bool once_more) {
  if (path.empty()) {
    return "/";
  }
  std::string out;
  while (true) {
    const std::size_t slash = path.find('/');
    const std::string_view segment = path.substr(0, slash);
    out += PercentEncode(once_more ? std::string(segment) : PercentDecode(segment));
    if (slash == std::string_view::npos) {
      return out;
    }
    out += '/';
    path.remove_prefix(slash + 1);
  }
}

std::string CanonicalQuery(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> pairs;
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const std::size_t equals = pair.find('=');
    const std::string_view value = equals == std::string_view::npos ? "" : pair.substr(equals + 1);
    if (!pair.empty()) {
      pairs.emplace_back(PercentEncode(PercentDecode(pair.substr(0, equals))), PercentEncode(PercentDecode(value)));
    }
  }
  std::sort(pairs.begin(), pairs.end());
  std::vector<std::string> texts;
  for (const auto& [name, value] : pairs) {
    std::string text = name;
    text += "=";
    text += value;
    texts.push_back(std::move(text));
  }
  return Join(texts, "&");
}

// Without blanks at its ends, and one for each run of them inside.
std::string CanonicalValue(std::string_view value) {
  std::string out;
  for (const char c : Trim(value)) {
    if (!IsSpace(c)) {
      out += c;
    } else if (out.back() != ' ') {
      out += ' ';
    }
  }
  return out;
}

// By name, in lower case; values of one name in the order of the request.
std::map<std::string, std::string> SignedHeaders(const OutgoingRequest& request) {
  std::map<std::string, std::string> out{{"host", std::string(request.host)}};
  for (const auto& [name, value] : request.headers) {
    const std::string lower = Lower(name);
    if (lower == "content-type" || lower.starts_with("x-amz-")) {
      const auto [place, added] = out.emplace(lower, CanonicalValue(value));
      if (!added) {
        place->second += "," + CanonicalValue(value);
      }
    }
  }
  return out;
}

class SigV4 final : public Scheme {
 public:
  SigV4(std::string service, std::string region) : service_(std::move(service)), region_(std::move(region)) {}

  Status Sign(OutgoingRequest& request, const RotatingSecrets& secrets, WallTime wall, MonoTime) override {
    const std::string date = AmzDate(wall);
    const bool s3 = service_ == "s3";
    const std::string body_hash = Hex(Digest(Hash::kSha256, request.body));
    request.headers.emplace_back("X-Amz-Date", date);
    if (const std::string& token = SecretOf(secrets, "session_token"); !token.empty()) {
      request.headers.emplace_back("X-Amz-Security-Token", token);
    }
    if (s3) {
      request.headers.emplace_back("X-Amz-Content-Sha256", body_hash);
    }
    const std::size_t question = std::min(request.target.find('?'), request.target.size());
    const std::string path = std::string(request.base_path) + request.target.substr(0, question);
    const std::string_view query =
        std::string_view(request.target).substr(std::min(question + 1, request.target.size()));
    const std::map<std::string, std::string> signed_headers = SignedHeaders(request);
    const std::string names = NamesOf(signed_headers);
    std::string lines;
    for (const auto& [name, value] : signed_headers) {
      lines += name;
      lines += ":" + value + "\n";
    }
    const std::string canonical = std::string(request.method) + "\n" + CanonicalPath(path, !s3) + "\n" +
                                  CanonicalQuery(query) + "\n" + lines + "\n" + names + "\n" + body_hash;
    const std::string day = date.substr(0, 8);
    const std::string scope = Scope(day);
    const std::string text =
        std::string(kAlgorithm) + "\n" + date + "\n" + scope + "\n" + Hex(Digest(Hash::kSha256, canonical));
    const std::string signature =
        Hex(Hmac(Hash::kSha256, SigningKey(SecretOf(secrets, "secret_access_key"), day), text));
    request.headers.emplace_back("Authorization",
                                 Credentials(SecretOf(secrets, "access_key_id"), scope, names, signature));
    return {};
  }
  void Show(OutgoingRequest& request, const SecretPlaces& secrets) const override {
    request.headers.emplace_back("X-Amz-Date", kHidden);
    if (secrets.contains("session_token")) {
      request.headers.emplace_back("X-Amz-Security-Token", kHidden);
    }
    if (service_ == "s3") {
      request.headers.emplace_back("X-Amz-Content-Sha256", kHidden);
    }
    request.headers.emplace_back("Authorization",
                                 Credentials(kHidden, Scope(kHidden), NamesOf(SignedHeaders(request)), kHidden));
  }

 private:
  static std::string NamesOf(const std::map<std::string, std::string>& headers) {
    std::vector<std::string> names;
    for (const auto& [name, value] : headers) {
      names.push_back(name);
    }
    return Join(names, ";");
  }
  std::string Scope(const std::string& day) const {
    return day + "/" + region_ + "/" + service_ + "/" + std::string(kEnd);
  }
  static std::string Credentials(const std::string& id, const std::string& scope, const std::string& names,
                                 const std::string& signature) {
    return std::string(kAlgorithm) + " Credential=" + id + "/" + scope + ", SignedHeaders=" + names +
           ", Signature=" + signature;
  }
  std::string SigningKey(const std::string& secret, std::string_view day) const {
    const Secret start{"AWS4" + secret};
    const std::string by_day = Hmac(Hash::kSha256, start.Reveal(), day);
    return Hmac(Hash::kSha256, Hmac(Hash::kSha256, Hmac(Hash::kSha256, by_day, region_), service_), kEnd);
  }

  const std::string service_;
  const std::string region_;
};

}  // namespace

Result<std::unique_ptr<Scheme>> MakeSigV4(const Parameters& parameters) {
  for (const std::string_view name : {"service", "region"}) {
    const std::string& text = TextOf(parameters, name);
    const bool fits = std::all_of(text.begin(), text.end(), [](char c) { return IsAlnum(c) || c == '-'; });
    if (text.empty() || text.size() > 64 || !fits) {
      return Error{ErrorCode::kInvalidArgument,
                   "auth: " + std::string(name) + " has 1 to 64 letters, digits and hyphens, as AWS writes it"};
    }
  }
  return std::unique_ptr<Scheme>(new SigV4(TextOf(parameters, "service"), TextOf(parameters, "region")));
}

}  // namespace packhorse::auth
