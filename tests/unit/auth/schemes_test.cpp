#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "auth/authorizer.h"
#include "base/encode.h"
#include "base/secret_mark.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace packhorse::auth {
namespace {

using namespace std::chrono_literals;

class Schemes : public ::testing::Test {
 protected:
  SecretPlace File(const std::string& name, const std::string& value) {
    test::WriteAll(dir_ / name, value, 0600);
    return {{SecretSource::Kind::kFile, dir_ / name}, {SecretSource::Kind::kFile, dir_ / (name + ".next")}};
  }
  std::unique_ptr<Authorizer> Make(const AuthOptions& options) {
    auto made = Authorizer::Make(options);
    EXPECT_TRUE(made) << made.error().message;
    return made ? std::move(made).value() : nullptr;
  }
  static std::string Header(const Authorization& made, const std::string& name) {
    for (const auto& [key, value] : made.headers) {
      if (key == name) {
        return value;
      }
    }
    return "";
  }

  test::TempDir dir_;
};

TEST_F(Schemes, QueryAddsAParameterThatIsEncoded) {
  AuthOptions options;
  options.scheme = "query";
  options.parameters["parameter"] = "api_key";
  options.secrets["value"] = File("key", "a&b c");
  const auto authorizer = Make(options);
  OutgoingRequest request;
  request.target = "/v1/write";
  EXPECT_EQ(authorizer->Authorize(request, {}, {})->target, "/v1/write?api_key=a%26b%20c");
  request.target = "/v1/write?db=x";
  EXPECT_EQ(authorizer->Authorize(request, {}, {})->target, "/v1/write?db=x&api_key=a%26b%20c");
}

TEST_F(Schemes, SecretSettingsAreFilledInForTheAttemptAndRotateTogether) {
  AuthOptions options;
  options.settings["token"] = File("token", "t/1");
  options.settings["org"] = File("org", "o1");
  test::WriteAll(dir_ / "token.next", "t/2", 0600);
  const auto authorizer = Make(options);
  OutgoingRequest request;
  request.target = "/push/" + SecretMark(MarkPlace::kPath, "token") + "?org=" + SecretMark(MarkPlace::kQuery, "org");
  request.headers = {{"X-Token", "Key " + SecretMark(MarkPlace::kHeader, "token")}};
  const Result<Authorization> first = authorizer->Authorize(request, {}, {});
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(first->target, "/push/t%2F1?org=o1");
  EXPECT_EQ(Header(*first, "X-Token"), "Key t/1");
  ASSERT_TRUE(authorizer->TryOther());
  const Result<Authorization> second = authorizer->Authorize(request, {}, {});
  EXPECT_EQ(second->target, "/push/t%2F2?org=o1");
  EXPECT_NE(second->generation, first->generation);
  request.target = SecretMark(MarkPlace::kPath, "unknown");
  EXPECT_EQ(authorizer->Authorize(request, {}, {}).error().code, ErrorCode::kNotFound);
}

TEST_F(Schemes, WhatIsMissingOrNotUsedIsNamed) {
  AuthOptions options;
  options.scheme = "sigv4";
  options.parameters["service"] = "kinesis";
  const std::string missing = Authorizer::Make(options).error().message;
  EXPECT_NE(missing.find("'region'"), std::string::npos) << missing;
  EXPECT_NE(missing.find("are missing"), std::string::npos) << "the secrets as well: " << missing;
  options.scheme = "sigv5";
  EXPECT_EQ(Authorizer::Make(options).error().code, ErrorCode::kInvalidArgument);
  options.scheme = "none";
  EXPECT_NE(Authorizer::Make(options).error().message.find("'service' is not used"), std::string::npos);
}

TEST_F(Schemes, ContractAddsWhatTheConfigurationLeavesOut) {
  AuthOptions options;
  options.parameters["region"] = "eu-west-1";
  ASSERT_TRUE(AddFromContract("sigv4", {{"service", "sqs"}, {"region", "us-east-1"}}, options));
  EXPECT_EQ(options.scheme, "sigv4");
  EXPECT_EQ(options.parameters["service"], "sqs");
  EXPECT_EQ(options.parameters["region"], "eu-west-1");
  EXPECT_FALSE(AddFromContract("hmac", {}, options));
  EXPECT_TRUE(AddFromContract("", {}, options));
  options.scheme = "none";
  EXPECT_FALSE(AddFromContract("sigv4", {}, options)) << "it says that there is none";
}

TEST_F(Schemes, ShowingReadsNoSecretAndHidesWhatIsMadeOfOne) {
  const SecretPlace nowhere{{SecretSource::Kind::kFile, dir_ / "nowhere"}, {}};
  AuthOptions options;
  options.scheme = "sigv4";
  options.parameters = {{"service", "kinesis"}, {"region", "eu-central-1"}};
  options.secrets = {{"access_key_id", nowhere}, {"secret_access_key", nowhere}};
  OutgoingRequest request;
  request.host = "kinesis.example";
  request.headers = {{"X-Amz-Target", "t"}};
  const auto shown = ShowAuthorized(options, request);
  ASSERT_TRUE(shown) << shown.error().message;
  EXPECT_EQ(shown->headers.back().second,
            "AWS4-HMAC-SHA256 Credential=***/***/eu-central-1/kinesis/aws4_request, "
            "SignedHeaders=host;x-amz-date;x-amz-target, Signature=***");
  options = {};
  options.scheme = "query";
  options.parameters["parameter"] = "api_key";
  options.secrets = {{"value", nowhere}};
  request.target = "/v1/write";
  EXPECT_EQ(ShowAuthorized(options, request)->target, "/v1/write?api_key=***");
}

// --- AWS: the published test suite of Signature Version 4, and the example of the General Reference ---

struct Vector {
  std::string name;
  std::string method;
  std::string target;
  Headers headers;
  std::string body;
  std::string signed_headers;
  std::string signature;
};

class SigV4Vectors : public Schemes, public ::testing::WithParamInterface<Vector> {};

TEST_P(SigV4Vectors, SignatureIsThePublishedOne) {
  const bool iam = GetParam().name == "general_reference";
  AuthOptions options;
  options.scheme = "sigv4";
  options.parameters = {{"service", iam ? "iam" : "service"}, {"region", "us-east-1"}};
  options.secrets["access_key_id"] = File("id", "AKIDEXAMPLE");
  options.secrets["secret_access_key"] = File("secret", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
  OutgoingRequest request;
  request.method = GetParam().method;
  request.host = iam ? "iam.amazonaws.com" : "example.amazonaws.com";
  request.target = GetParam().target;
  request.headers = GetParam().headers;
  request.body = GetParam().body;
  const WallTime at{std::chrono::seconds(1440938160)};  // 20150830T123600Z
  const Result<Authorization> made = Make(options)->Authorize(request, at, {});
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(Header(*made, "X-Amz-Date"), "20150830T123600Z");
  EXPECT_EQ(Header(*made, "Authorization"),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/" + std::string(iam ? "iam" : "service") +
                "/aws4_request, SignedHeaders=" + GetParam().signed_headers + ", Signature=" + GetParam().signature);
}

INSTANTIATE_TEST_SUITE_P(Aws, SigV4Vectors,
                         ::testing::Values(Vector{"get_vanilla",
                                                  "GET",
                                                  "/",
                                                  {},
                                                  "",
                                                  "host;x-amz-date",
                                                  "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
                                           Vector{"post_vanilla",
                                                  "POST",
                                                  "/",
                                                  {},
                                                  "",
                                                  "host;x-amz-date",
                                                  "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
                                           Vector{"query_in_order",
                                                  "GET",
                                                  "/?Param2=value2&Param1=value1",
                                                  {},
                                                  "",
                                                  "host;x-amz-date",
                                                  "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
                                           Vector{"form",
                                                  "POST",
                                                  "/",
                                                  {{"Content-Type", "application/x-www-form-urlencoded"}},
                                                  "Param1=value1",
                                                  "content-type;host;x-amz-date",
                                                  "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
                                           Vector{
                                               "general_reference",
                                               "GET",
                                               "/?Action=ListUsers&Version=2010-05-08",
                                               {{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}},
                                               "",
                                               "content-type;host;x-amz-date",
                                               "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"}),
                         [](const auto& parameter) { return parameter.param.name; });

TEST_F(Schemes, SigV4SignsTheTokenOfASession) {
  AuthOptions options;
  options.scheme = "sigv4";
  options.parameters = {{"service", "kinesis"}, {"region", "eu-central-1"}};
  options.secrets["access_key_id"] = File("id", "AKID");
  options.secrets["secret_access_key"] = File("secret", "secret-key-1");
  options.secrets["session_token"] = File("session", "session-token-1");
  OutgoingRequest request;
  request.headers = {{"X-Amz-Target", "Kinesis_20131202.PutRecords"}};
  const auto made = Make(options)->Authorize(request, {}, {});
  EXPECT_EQ(Header(*made, "X-Amz-Security-Token"), "session-token-1");
  EXPECT_NE(Header(*made, "Authorization").find("SignedHeaders=host;x-amz-date;x-amz-security-token;x-amz-target"),
            std::string::npos);
}

// --- Azure ---

TEST_F(Schemes, SasIsSignedOverResourceAndEndAndKeptUntilNearIt) {
  AuthOptions options;
  options.scheme = "azure_sas";
  options.parameters = {{"resource", "{url.host}/hub"}, {"policy", "send"}};
  options.secrets["key"] = File("key", "MDEyMzQ1Njc4OWFiY2RlZg==");
  const auto authorizer = Make(options);
  OutgoingRequest request;
  request.host = "example.azure-devices.net";
  const WallTime at{std::chrono::seconds(1'700'000'000)};
  const auto first = authorizer->Authorize(request, at, {});
  // printf 'example.azure-devices.net%%2Fhub\n1700003600' | openssl dgst -sha256 -hmac 0123456789abcdef -binary |
  // base64
  EXPECT_EQ(
      Header(*first, "Authorization"),
      "SharedAccessSignature "
      "sr=example.azure-devices.net%2Fhub&sig=RXuUb9gJSiDG2eB%2BMC7jjsowgSUwGJMODSvzQTmPjs0%3D&se=1700003600&skn=send");
  EXPECT_EQ(authorizer->Authorize(request, at + 54min, {})->headers, first->headers);
  EXPECT_NE(authorizer->Authorize(request, at + 55min, {})->headers, first->headers);
  EXPECT_NE(authorizer->Authorize(request, at - 1h, {})->headers, first->headers) << "the clock was set back";
}

TEST_F(Schemes, SasKeyThatIsNoBase64IsRefusedWithoutBeingShown) {
  AuthOptions options;
  options.scheme = "azure_sas";
  options.parameters = {{"resource", "r"}};
  options.secrets["key"] = File("key", "no base64 at all");
  const auto made = Authorizer::Make(options);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().message.find("at all"), std::string::npos) << made.error().message;
}

// --- webhooks ---

TEST_F(Schemes, StandardWebhooksSignatureIsTheKnownOne) {
  AuthOptions options;
  options.scheme = "hmac";
  options.parameters = {{"sign", "{batch.id}.{attempt.time|unix_s}.{request.body}"},
                        {"headers.webhook-id", "{batch.id}"},
                        {"headers.webhook-timestamp", "{attempt.time|unix_s}"},
                        {"headers.webhook-signature", "v1,{signature|base64}"}};
  options.secrets["key"] = File("key", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  OutgoingRequest request;
  request.batch_id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
  request.body = R"({"test": 2432232314})";
  const auto made = Make(options)->Authorize(request, WallTime{std::chrono::seconds(1'614'265'330)}, {});
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(Header(*made, "webhook-id"), "msg_p5jXN8AQM9LWM0D4loKWxJek");
  EXPECT_EQ(Header(*made, "webhook-timestamp"), "1614265330");
  // The example of the libraries of Standard Webhooks.
  EXPECT_EQ(Header(*made, "webhook-signature"), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

TEST_F(Schemes, GitHubStyleSignatureIsTheKnownOne) {
  AuthOptions options;
  options.scheme = "hmac";
  options.parameters = {{"sign", "{request.body}"}, {"headers.X-Hub-Signature-256", "sha256={signature|hex}"}};
  options.secrets["key"] = File("key", "It's a Secret to Everybody");
  OutgoingRequest request;
  request.body = "Hello, World!";
  // The example of GitHub's guide "Validating webhook deliveries".
  EXPECT_EQ(Header(*Make(options)->Authorize(request, {}, {}), "X-Hub-Signature-256"),
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17");
}

TEST_F(Schemes, HmacTemplatesThatCannotBeAreRefused) {
  AuthOptions options;
  options.scheme = "hmac";
  options.secrets["key"] = File("key", "k");
  for (const auto& [sign, header] : {std::pair<std::string, std::string>{"{request.bodies}", "{signature|hex}"},
                                     {"{signature|hex}", "{signature|hex}"},
                                     {"{request.body", "{signature|hex}"},
                                     {"{request.body}", "{request.body}"}}) {
    options.parameters = {{"sign", sign}, {"headers.X-Signature", header}};
    EXPECT_FALSE(Authorizer::Make(options)) << sign << " " << header;
  }
}

// --- OAuth 2.0 ---

class Oauth2Test : public Schemes {
 protected:
  Oauth2Test() {
    AuthOptions options;
    options.scheme = "oauth2";
    options.parameters = {{"token_url", "https://login.example/token"}, {"client_id", "gw:1"}, {"scope", "write all"}};
    options.secrets["client_secret"] = File("secret", "client-secret-0001");
    authorizer_ = Make(options);
  }
  std::string Bearer(MonoTime now) {
    const auto made = authorizer_->Authorize({}, {}, now);
    return made ? Header(*made, "Authorization") : std::string(Name(made.error().code));
  }
  static std::string Token(const std::string& token, int lasts = 3600) {
    return R"({"access_token":")" + token + R"(","token_type":"Bearer","expires_in":)" + std::to_string(lasts) + "}";
  }

  std::unique_ptr<Authorizer> authorizer_;
  MonoTime now_{100s};
};

TEST_F(Oauth2Test, FirstRequestWaitsForATokenAndOneIsAskedForAtATime) {
  EXPECT_EQ(Bearer(now_), "unavailable");
  const auto asked = authorizer_->NextTokenRequest({}, now_);
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->url, "https://login.example/token");
  EXPECT_EQ(asked->body, "grant_type=client_credentials&scope=write%20all");
  EXPECT_EQ(asked->headers.back().second, "Basic " + Base64("gw%3A1:client-secret-0001"));
  EXPECT_FALSE(authorizer_->NextTokenRequest({}, now_));
  EXPECT_FALSE(authorizer_->NextTokenAt());
  ASSERT_TRUE(authorizer_->OnToken(200, Token("first-token"), now_));
  EXPECT_EQ(Bearer(now_), "Bearer first-token");
}

TEST_F(Oauth2Test, TokenIsRenewedFiveMinutesAheadAndUsedUntilItsEnd) {
  ASSERT_TRUE(authorizer_->NextTokenRequest({}, now_));
  ASSERT_TRUE(authorizer_->OnToken(200, Token("first-token"), now_));
  EXPECT_FALSE(authorizer_->NextTokenRequest({}, now_ + 3299s));
  ASSERT_TRUE(authorizer_->NextTokenRequest({}, now_ + 3300s));
  EXPECT_FALSE(authorizer_->OnToken(503, "", now_ + 3300s));
  EXPECT_EQ(Bearer(now_ + 3599s), "Bearer first-token");
  EXPECT_EQ(Bearer(now_ + 3600s), "unavailable");
}

TEST_F(Oauth2Test, FailuresAreRepeatedWithPausesThatGrowToAMinute) {
  int asked = 0;
  for (MonoTime at = now_; at < now_ + 10min; at += 100ms) {
    if (authorizer_->NextTokenRequest({}, at)) {
      ++asked;
      EXPECT_FALSE(authorizer_->OnToken(0, "connection refused", at));
    }
  }
  EXPECT_GE(asked, 10);
  EXPECT_LE(asked, 16);
}

TEST_F(Oauth2Test, RefusedTokenIsReplacedOnceAndALateRefusalSaysNothingOfTheNewOne) {
  ASSERT_TRUE(authorizer_->NextTokenRequest({}, now_));
  ASSERT_TRUE(authorizer_->OnToken(200, Token("first-token"), now_));
  const std::uint64_t first = authorizer_->generation();
  EXPECT_TRUE(authorizer_->TryOther());
  EXPECT_NE(authorizer_->generation(), first);
  EXPECT_EQ(Bearer(now_), "unavailable");
  ASSERT_TRUE(authorizer_->NextTokenRequest({}, now_ + 1s));
  ASSERT_TRUE(authorizer_->OnToken(200, Token("second-token"), now_ + 1s));
  EXPECT_EQ(Bearer(now_ + 1s), "Bearer second-token");
  EXPECT_FALSE(authorizer_->TryOther()) << "once until a success";
  authorizer_->Succeeded();
  EXPECT_TRUE(authorizer_->TryOther());
}

TEST_F(Oauth2Test, ClientThatIsRefusedTriesTheNextSecret) {
  test::WriteAll(dir_ / "secret.next", "client-secret-0002", 0600);
  ASSERT_TRUE(authorizer_->SourcesChanged());
  ASSERT_TRUE(*authorizer_->Refresh());
  EXPECT_FALSE(authorizer_->SourcesChanged());
  ASSERT_TRUE(authorizer_->NextTokenRequest({}, now_));
  EXPECT_FALSE(authorizer_->OnToken(401, R"({"error":"invalid_client"})", now_));
  const auto asked = authorizer_->NextTokenRequest({}, now_ + 2s);
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->headers.back().second, "Basic " + Base64("gw%3A1:client-secret-0002"));
}

TEST_F(Oauth2Test, MessagesShowNoSecret) {
  ASSERT_TRUE(authorizer_->NextTokenRequest({}, now_));
  const Status refused =
      authorizer_->OnToken(400, R"({"error":"invalid_scope","error_description":"for client-secret-0001 no"})", now_);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("invalid_scope"), std::string::npos);
  EXPECT_EQ(refused.error().message.find("client-secret-0001"), std::string::npos) << refused.error().message;
  EXPECT_FALSE(authorizer_->OnToken(200, R"({"access_token":"a b"})", now_));
  EXPECT_FALSE(authorizer_->OnToken(200, "<html>", now_));
}

}  // namespace
}  // namespace packhorse::auth
