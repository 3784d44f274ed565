// What a contract says of authentication.

#include <gmock/gmock.h>

#include "cloud_fixture.h"

namespace packhorse::contract::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

constexpr char kItem[] = R"({"id":"{record_id}"})";

BatchHeader Sender() {
  BatchHeader sender;
  sender.gateway_id = "gw-1";
  return sender;
}

// The problems of a contract with this `auth`.
std::string Refused(const std::string& auth, const std::string& settings = "{}") {
  return Told(ReadCloudContract(WithItem(kItem, R"("settings":)" + settings + R"(,"auth":)" + auth), "file"));
}

TEST(CloudAuth, SettingsAreFilledInAndWhatTheSchemeKnowsStays) {
  const auto contract =
      Make(WithItem(kItem, R"("settings":{"hub":{},"device":{"default":"{gateway.id}"},"policy":{"default":null}},
                              "auth":{"azure_sas":{"resource":"{url.host}/{settings.hub}/{settings.device}",
                                                   "policy":"{settings.policy}"}})"),
           {{"hub", "north"}});
  ASSERT_NE(contract, nullptr);
  const RequestAuth auth = contract->Auth(Sender());
  EXPECT_EQ(auth.scheme, "azure_sas");
  EXPECT_THAT(auth.parameters, ElementsAre(Pair("resource", "{url.host}/north/gw-1")));
}

TEST(CloudAuth, TemplatesOfHeadersStayAsTheyAre) {
  const auto contract = Make(WithItem(kItem, R"("auth":{"hmac":{"sign":"{{}}{batch.id}.{request.body}",
                                                "headers":{"X-Signature":"v1,{signature|base64}"}}})"));
  ASSERT_NE(contract, nullptr);
  EXPECT_THAT(contract->Auth(Sender()).parameters, ElementsAre(Pair("headers.X-Signature", "v1,{signature|base64}"),
                                                               Pair("sign", "{{}}{batch.id}.{request.body}")));
}

TEST(CloudAuth, NameAloneIsASchemeWithoutParameters) {
  const auto contract = Make(WithItem(kItem, R"("auth":"basic")"));
  ASSERT_NE(contract, nullptr);
  EXPECT_EQ(contract->Auth(Sender()).scheme, "basic");
  EXPECT_THAT(contract->Auth(Sender()).parameters, IsEmpty());
  EXPECT_EQ(Make(WithItem(kItem))->Auth(Sender()).scheme, "");
}

TEST(CloudAuth, MistakesAreNamedWithTheirPlaces) {
  EXPECT_THAT(Refused(R"({"sigv5":{}})"), HasSubstr(R"("sigv5" is no kind of authentication)"));
  EXPECT_THAT(Refused(R"({"sigv5":{}})"), HasSubstr(R"(did you mean "sigv4"?)"));
  EXPECT_THAT(Refused(R"("bearer")"), HasSubstr("secret setting"));
  EXPECT_THAT(Refused(R"({"sigv4":{}, "hmac":{}})"), HasSubstr("/auth: must be the name of one kind"));
  EXPECT_THAT(Refused(R"({"sigv4":{"regoin":"x"}})"), HasSubstr(R"(/auth/sigv4/regoin: "regoin" is no parameter)"));
  EXPECT_THAT(Refused(R"({"oauth2":{"client_id":"x"}})"), HasSubstr("is given by the destination"));
  EXPECT_THAT(Refused(R"({"sigv4":{"region":5}})"), HasSubstr("must be a text"));
  EXPECT_THAT(Refused(R"({"sigv4":{"region":"{settings.regoin}"}})", R"({"region":{}})"),
              HasSubstr("did you mean \"settings.region\"?"));
  EXPECT_THAT(Refused(R"({"sigv4":{"region":"{settings.region}"}})", R"({"region":{"secret":true}})"),
              HasSubstr("cannot stand here"));
}

TEST(CloudAuth, SettingWithABraceIsRefused) {
  const ContractRead read = ReadCloudContract(
      WithItem(kItem, R"("settings":{"a":{}},"auth":{"azure_sas":{"resource":"{settings.a}"}})"), "file");
  ASSERT_NE(read.definition, nullptr) << Told(read);
  const auto made = MakeCloudContract(read.definition, {{"a", "{url.host}"}});
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message, HasSubstr("auth: resource: the value of {settings.a} has a brace in it"));
}

}  // namespace
}  // namespace packhorse::contract::test
