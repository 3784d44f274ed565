// Service accounts of Google: what is signed is verified as a receiver does it (RFC 7515 section 5.2, RFC 7519).

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "auth/authorizer.h"
#include "auth/crypto.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace packhorse::auth {
namespace {

using namespace std::chrono_literals;
using KeyPtr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

constexpr char kEmail[] = "gateway@project.iam.example";

KeyPtr MakeKey(unsigned bits) { return {EVP_RSA_gen(bits), &EVP_PKEY_free}; }

std::string PemOf(EVP_PKEY* key) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new(BIO_s_mem()), &BIO_free);
  PEM_write_bio_PKCS8PrivateKey(out.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

struct SignedToken {
  nlohmann::json header;
  nlohmann::json claims;
};

// The parts of a JWT whose signature is right.
SignedToken Verified(const std::string& token, EVP_PKEY* key) {
  const std::size_t first = token.find('.');
  const std::size_t second = token.find('.', first + 1);
  const std::string signature = DecodeBase64Url(token.substr(second + 1)).value_or("");
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  EXPECT_EQ(EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key), 1);
  EXPECT_EQ(EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()), signature.size(),
                             reinterpret_cast<const unsigned char*>(token.data()), second),
            1)
      << token;
  return {nlohmann::json::parse(DecodeBase64Url(token.substr(0, first)).value_or("{}")),
          nlohmann::json::parse(DecodeBase64Url(token.substr(first + 1, second - first - 1)).value_or("{}"))};
}

class GoogleJwt : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { key_ = new KeyPtr(MakeKey(2048)); }
  static void TearDownTestSuite() { delete key_; }
  static EVP_PKEY* key() { return key_->get(); }

  // As Google writes it, in several lines.
  std::string KeyFile(EVP_PKEY* of, const std::string& token_url = "https://oauth2.example/token") {
    return nlohmann::json{{"type", "service_account"},
                          {"client_email", kEmail},
                          {"private_key_id", "key-1"},
                          {"private_key", PemOf(of)},
                          {"token_uri", token_url}}
               .dump(2) +
           "\n";
  }
  Result<std::unique_ptr<Authorizer>> Make(const std::string& file, const std::string& parameter,
                                           const std::string& value) {
    test::WriteAll(dir_ / "account.json", file, 0600);
    AuthOptions options;
    options.scheme = "google_jwt";
    options.parameters[parameter] = value;
    options.secrets["service_account"] = {{SecretSource::Kind::kFile, dir_ / "account.json"},
                                          {SecretSource::Kind::kFile, dir_ / "next.json"}};
    return Authorizer::Make(options);
  }
  static std::string Bearer(Authorizer& authorizer, WallTime wall, MonoTime now = {}) {
    const auto made = authorizer.Authorize({}, wall, now);
    EXPECT_TRUE(made) << made.error().message;
    return made ? made->headers.back().second.substr(std::string("Bearer ").size()) : "..";
  }

  test::TempDir dir_;
  const WallTime wall_{1'795'000'000'500ms};
  const MonoTime now_{100s};

 private:
  static KeyPtr* key_;
};
KeyPtr* GoogleJwt::key_ = nullptr;

TEST_F(GoogleJwt, SelfSignedTokenIsVerifiedByThePublicKeyAndMadeAnewBeforeItEnds) {
  const auto made = Make(KeyFile(key()), "audience", "https://pubsub.example/");
  ASSERT_TRUE(made) << made.error().message;
  const std::string token = Bearer(**made, wall_);
  const SignedToken jwt = Verified(token, key());
  EXPECT_EQ(jwt.header, (nlohmann::json{{"alg", "RS256"}, {"typ", "JWT"}, {"kid", "key-1"}}));
  EXPECT_EQ(jwt.claims, (nlohmann::json{{"iss", kEmail},
                                        {"sub", kEmail},
                                        {"aud", "https://pubsub.example/"},
                                        {"iat", 1'795'000'000},
                                        {"exp", 1'795'003'600}}));
  EXPECT_EQ(Bearer(**made, wall_ + 54min), token);
  EXPECT_EQ(Verified(Bearer(**made, wall_ + 55min), key()).claims["iat"], 1'795'003'300);
  EXPECT_EQ(Verified(Bearer(**made, wall_ - 2h), key()).claims["iat"], 1'794'992'800) << "the clock was set back";
  EXPECT_TRUE((*made)->ready(now_));
  EXPECT_FALSE((*made)->NextTokenRequest(wall_, now_));
}

TEST_F(GoogleJwt, GrantExchangesAnAssertionForATokenAheadOfItsEnd) {
  const auto made = Make(KeyFile(key()), "scope", "https://scope.example/a b");
  ASSERT_TRUE(made) << made.error().message;
  Authorizer& authorizer = **made;
  EXPECT_FALSE(authorizer.ready(now_));
  const auto asked = authorizer.NextTokenRequest(wall_, now_);
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->url, "https://oauth2.example/token");
  const std::string form = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";
  ASSERT_EQ(asked->body.substr(0, form.size()), form);
  const SignedToken jwt = Verified(asked->body.substr(form.size()), key());
  EXPECT_EQ(jwt.claims["aud"], "https://oauth2.example/token");
  EXPECT_EQ(jwt.claims["scope"], "https://scope.example/a b");
  EXPECT_EQ(jwt.claims["exp"], 1'795'003'600);
  EXPECT_FALSE(authorizer.NextTokenRequest(wall_, now_)) << "one in flight";
  ASSERT_TRUE(
      authorizer.OnToken(200, R"({"access_token":"ya29.token","expires_in":3599,"token_type":"Bearer"})", now_));
  EXPECT_EQ(Bearer(authorizer, wall_, now_), "ya29.token");
  EXPECT_FALSE(authorizer.NextTokenRequest(wall_, now_ + 3298s));
  EXPECT_TRUE(authorizer.NextTokenRequest(wall_, now_ + 3299s));
}

TEST_F(GoogleJwt, KeyThatTheEndpointRefusesGivesWayToTheNextOne) {
  const KeyPtr other = MakeKey(2048);
  test::WriteAll(dir_ / "next.json", KeyFile(other.get()), 0600);
  const auto made = Make(KeyFile(key()), "scope", "s");
  ASSERT_TRUE(made) << made.error().message;
  ASSERT_TRUE((*made)->NextTokenRequest(wall_, now_));
  EXPECT_FALSE(
      (*made)->OnToken(400, R"({"error":"invalid_grant","error_description":"Invalid JWT Signature."})", now_));
  const auto again = (*made)->NextTokenRequest(wall_, now_ + 2s);
  ASSERT_TRUE(again);
  Verified(again->body.substr(again->body.find("assertion=") + 10), other.get());
}

TEST_F(GoogleJwt, FileThatIsNoKeyFileIsRefusedWithoutBeingShown) {
  const std::string good = KeyFile(key());
  const auto refused = [&](const std::string& file) {
    const auto made = Make(file, "scope", "s");
    return made ? std::string("accepted") : made.error().message;
  };
  EXPECT_NE(refused("hunter2\n").find("is no JSON"), std::string::npos);
  EXPECT_EQ(refused("hunter2\n").find("hunter2"), std::string::npos);
  EXPECT_NE(refused(R"({"client_email": "a"})").find("private_key is missing"), std::string::npos);
  EXPECT_NE(refused(R"({"client_email": "a", "private_key": "x"})").find("no private RSA key"), std::string::npos);
  EXPECT_NE(refused(KeyFile(MakeKey(1024).get())).find("2048 bits"), std::string::npos);
  EXPECT_NE(refused(KeyFile(key(), "http://oauth2.example/token")).find("must be https"), std::string::npos);
  EXPECT_NE(refused(KeyFile(key(), "")).find("token_uri"), std::string::npos);
}

TEST_F(GoogleJwt, NeedsAudienceOrScopeAndNotBoth) {
  AuthOptions options;
  options.scheme = "google_jwt";
  options.secrets["service_account"] = {{SecretSource::Kind::kFile, dir_ / "account.json"}, {}};
  EXPECT_FALSE(Authorizer::Make(options));
  options.parameters = {{"audience", "a"}, {"scope", "s"}};
  EXPECT_NE(Authorizer::Make(options).error().message.find("one of the two"), std::string::npos);
}

}  // namespace
}  // namespace packhorse::auth
