#include "auth/expiry.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <ctime>
#include <memory>

#include "auth/crypto.h"
#include "base/file.h"
#include "base/text.h"
#include "document/document.h"

namespace packhorse::auth {
namespace {

constexpr std::size_t kMaxPemBytes = 1U << 20U;
// 9999-12-31T23:59:59Z, of what FormatUtc() can write.
constexpr std::int64_t kLastSecond = 253'402'300'799;

std::optional<WallTime> AtSecond(std::int64_t seconds) {
  return seconds > 0 && seconds <= kLastSecond ? std::optional(WallTime(std::chrono::seconds(seconds))) : std::nullopt;
}

std::optional<WallTime> JwtEnds(std::string_view token) {
  const std::size_t first = token.find('.');
  const std::size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos || !token.starts_with("eyJ")) {  // {"
    return std::nullopt;
  }
  const auto claims = DecodeBase64Url(token.substr(first + 1, second - first - 1));
  if (!claims) {
    return std::nullopt;
  }
  const document::Document read = document::ParseDocument(*claims);
  const document::Node& end = read.root["exp"];
  switch (end.kind) {
    case document::Node::Kind::kInteger:
      return AtSecond(end.integer);
    case document::Node::Kind::kNumber:  // a NumericDate may have a fraction
      return end.number < static_cast<double>(kLastSecond) ? AtSecond(static_cast<std::int64_t>(end.number))
                                                           : std::nullopt;
    default:
      return std::nullopt;
  }
}

std::optional<WallTime> SasEnds(std::string_view token) {
  constexpr std::string_view kEnd = "se=";
  while (!token.empty()) {
    const std::string_view member = token.substr(0, token.find('&'));
    token.remove_prefix(std::min(member.size() + 1, token.size()));
    std::int64_t seconds = 0;
    if (member.starts_with(kEnd) && ReadNumber(member.substr(kEnd.size()), seconds)) {
      return AtSecond(seconds);
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<WallTime> TokenEnds(std::string_view token) {
  const std::size_t blank = token.rfind(' ');
  const std::string_view word = blank == std::string_view::npos ? token : token.substr(blank + 1);
  return token.starts_with("SharedAccessSignature ") ? SasEnds(word) : JwtEnds(word);
}

Result<WallTime> CertificatesEnd(const std::string& path, WhichEnd which) {
  const Result<std::string> pem = ReadFile(path, kMaxPemBytes);
  RETURN_IF_ERROR(pem);
  const std::unique_ptr<BIO, decltype(&BIO_free)> in(BIO_new_mem_buf(pem->data(), static_cast<int>(pem->size())),
                                                     &BIO_free);
  std::optional<WallTime> end;
  while (in) {
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(
        PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr), &X509_free);
    std::tm date{};
    if (!certificate || ASN1_TIME_to_tm(X509_get0_notAfter(certificate.get()), &date) != 1) {
      break;
    }
    const WallTime at{std::chrono::seconds(timegm(&date))};
    end = !end ? at : which == WhichEnd::kFirst ? std::min(*end, at) : std::max(*end, at);
  }
  ERR_clear_error();  // the end of the file is one
  if (!end) {
    return Error{ErrorCode::kInvalidArgument, path + " has no certificate in it"};
  }
  return *end;
}

}  // namespace packhorse::auth
