#include "auth/expiry.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

#include "auth/authorizer.h"
#include "base/encode.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace packhorse::auth {
namespace {

std::string Jwt(const std::string& claims) {
  return Base64Url(R"({"alg":"none"})") + "." + Base64Url(claims) + ".c2ln";
}
const WallTime kEnd{std::chrono::seconds(1'795'000'000)};

TEST(TokenEnds, IsReadFromAJwtWhateverStandsBeforeIt) {
  EXPECT_EQ(TokenEnds(Jwt(R"({"sub":"a","exp":1795000000})")), kEnd);
  EXPECT_EQ(TokenEnds("Bearer " + Jwt(R"({"exp":1795000000.75})")), kEnd);
  EXPECT_EQ(TokenEnds(Jwt(R"({"exp":"1795000000"})")), std::nullopt) << "a NumericDate is a number";
  EXPECT_EQ(TokenEnds(Jwt(R"({"exp":1e300})")), std::nullopt);
  EXPECT_EQ(TokenEnds(Jwt(R"({"exp":-5})")), std::nullopt);
  EXPECT_EQ(TokenEnds(Jwt("{}")), std::nullopt);
  EXPECT_EQ(TokenEnds("eyJ.*.x"), std::nullopt);
}

TEST(TokenEnds, IsReadFromASharedAccessSignature) {
  EXPECT_EQ(TokenEnds("SharedAccessSignature sr=h%2Fd&sig=a%3D&se=1795000000&skn=p"), kEnd);
  EXPECT_EQ(TokenEnds("SharedAccessSignature sr=h&sig=a"), std::nullopt);
}

TEST(TokenEnds, OtherSecretsSayNothing) {
  for (const char* other : {"", "hunter2", "a.b.c", "key.with.dots", "se=1795000000"}) {
    EXPECT_EQ(TokenEnds(other), std::nullopt) << other;
  }
}

// A certificate in PEM that ends then.
std::string Certificate(std::int64_t ends) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"),
                                                                &EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), &X509_free);
  X509_set_pubkey(certificate.get(), key.get());
  ASN1_TIME_set(X509_getm_notBefore(certificate.get()), 0);
  ASN1_TIME_set(X509_getm_notAfter(certificate.get()), ends);
  X509_sign(certificate.get(), key.get(), EVP_sha256());
  const std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new(BIO_s_mem()), &BIO_free);
  PEM_write_bio_X509(out.get(), certificate.get());
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

TEST(CertificatesEnd, OfAChainTheFirstAndOfAuthoritiesTheLast) {
  const test::TempDir dir;
  const std::string file = dir / "some.pem";
  test::WriteAll(file, "# a remark\n" + Certificate(1'795'000'000) + Certificate(1'800'000'000) + Certificate(10));
  EXPECT_EQ(*CertificatesEnd(file, WhichEnd::kFirst), WallTime(std::chrono::seconds(10)));
  EXPECT_EQ(*CertificatesEnd(file, WhichEnd::kLast), WallTime(std::chrono::seconds(1'800'000'000)));
  test::WriteAll(file, Certificate(1'795'000'000));
  EXPECT_EQ(*CertificatesEnd(file, WhichEnd::kFirst), kEnd);
  test::WriteAll(file, "no certificate");
  EXPECT_EQ(CertificatesEnd(file, WhichEnd::kFirst).error().code, ErrorCode::kInvalidArgument);
  EXPECT_FALSE(CertificatesEnd(dir / "nowhere", WhichEnd::kFirst));
}

TEST(TokenEnds, OfTheSecretsInUse) {
  const test::TempDir dir;
  test::WriteAll(dir / "token", Jwt(R"({"exp":1795000000})"), 0600);
  test::WriteAll(dir / "other", "static", 0600);
  AuthOptions options;
  options.scheme = "bearer";
  options.secrets["token"] = {{SecretSource::Kind::kFile, dir / "token"}, {}};
  options.settings["org"] = {{SecretSource::Kind::kFile, dir / "other"}, {}};
  const auto made = Authorizer::Make(options);
  ASSERT_TRUE(made) << made.error().message;
  const auto ends = (*made)->Ends();
  ASSERT_EQ(ends.size(), 1U);
  EXPECT_EQ(ends[0].first, "token");
  EXPECT_EQ(ends[0].second, kEnd);
}

}  // namespace
}  // namespace packhorse::auth
