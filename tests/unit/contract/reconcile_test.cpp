#include <gmock/gmock.h>

#include <string>

#include "base/secret_mark.h"
#include "base/text.h"
#include "cloud_fixture.h"

namespace packhorse::contract {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kPlaces =
    R"("each":"/a/hours/*","stream":"/s","hour":"/at/h","count":"/n","hash":"/x","next":"/more")";

std::string Offering(const std::string& request, const std::string& places = kPlaces) {
  return test::WithItem("\"{record}\"", R"("settings":{"project":{},"token":{"secret":true}},"reconcile":{)" + request +
                                            (places.empty() ? "" : "," + places) + "}");
}

ReconcileQuestion Question(const std::string& cursor = "") {
  ReconcileQuestion question;
  question.gateway.gateway_id = "gw/1";
  question.from = WallTime(std::chrono::seconds(1'795'161'600));
  question.to = question.from + 2h;
  question.cursor = cursor;
  return question;
}

TEST(ReconcileContract, TheRequestIsMadeOfTimesCursorSettingsAndSecrets) {
  const auto made = test::Make(
      Offering(R"("path":"/p/{settings.project}/{gateway.id}","query":{"from":"{from|unix_ms}","to":"{to|rfc3339_s}",
                  "page":"{cursor}","fixed":"1"},"headers":{"Authorization":"Bearer {settings.token}"})"),
      {{"project", "north pole"}});
  ASSERT_NE(made, nullptr);
  const ReconcileRequest first = made->RenderReconcile(Question());
  EXPECT_EQ(first.path, "/p/north%20pole/gw%2F1?from=1795161600000&to=2026-11-20T10%3A00%3A00Z&fixed=1");
  EXPECT_THAT(made->RenderReconcile(Question("a&b")).path, HasSubstr("&page=a%26b&"));
  ASSERT_EQ(first.headers.size(), 1U);
  EXPECT_EQ(first.headers[0].second, "Bearer " + SecretMark(MarkPlace::kHeader, "token"));
}

TEST(ReconcileContract, TheRequestTakesAnEntryOfASecretTable) {
  const auto made = test::Make(
      test::WithItem("\"{record}\"",
                     std::string(R"("settings":{"project":{},"tokens":{"table":true,"secret":true}},"reconcile":{)") +
                         R"("path":"/p?f={from|unix}&t={to|unix}&c={cursor}",)" +
                         R"("headers":{"X-Token":"{settings.project|lookup:tokens}"},)" + kPlaces + "}"),
      {{"project", "a"}, {"tokens", R"({"a":"s3cret"})"}});
  ASSERT_NE(made, nullptr);
  const Headers headers = made->RenderReconcile(Question("c")).headers;
  ASSERT_EQ(headers.size(), 1U);
  EXPECT_EQ(headers[0].second, SecretMark(MarkPlace::kHeader, "tokens:a"));
}

TEST(ReconcileContract, PlacesAreReadAsTokens) {
  const auto made =
      test::Make(Offering(R"("path":"/p?f={from|unix}&t={to|unix}&c={cursor|default:0}")"), {{"project", "p"}});
  ASSERT_NE(made, nullptr);
  const ReconcileRules& rules = *made->reconcile();
  EXPECT_THAT(rules.each, ElementsAre("a", "hours"));
  EXPECT_THAT(rules.stream, ElementsAre("s"));
  EXPECT_THAT(rules.hour, ElementsAre("at", "h"));
  EXPECT_THAT(rules.count, ElementsAre("n"));
  EXPECT_THAT(*rules.hash, ElementsAre("x"));
  EXPECT_THAT(*rules.next, ElementsAre("more"));
  EXPECT_EQ(rules.oldest, 168h);
}

TEST(ReconcileContract, PackhorseIngestOffersItFromItsThirdMinorOnAndSumsFromTheFourth) {
  EXPECT_EQ((*FindCloudContract("packhorse-ingest@1.0"))->reconcile(), nullptr);
  EXPECT_EQ((*FindCloudContract("packhorse-ingest@1.1"))->reconcile(), nullptr);
  const auto made = *FindCloudContract("packhorse-ingest@1.2");
  ASSERT_NE(made->reconcile(), nullptr);
  EXPECT_FALSE(made->reconcile()->named_sum);
  EXPECT_TRUE((*FindCloudContract("packhorse-ingest@1.3"))->reconcile()->named_sum);
  EXPECT_EQ(made->RenderReconcile(Question("n1")).path,
            "/v1/reconciliation?gateway=gw%2F1&from=2026-11-20T08%3A00%3A00Z&to=2026-11-20T10%3A00%3A00Z&cursor=n1");
}

TEST(ReconcileContract, SumsAreOfTheContractAndOfTheDestination) {
  const auto sums = [](const std::string& text, const std::vector<std::string>& named) {
    const auto made = test::Make(
        Offering(R"("path":"/p?f={from|unix}&t={to|unix}&c={cursor|default:0}","sums":)" + text), {{"project", "p"}});
    std::string all;
    for (const auto& [measurement, place] : made->reconcile()->SumsWith(named)) {
      all += measurement + "=/" + Join(place, "/") + " ";
    }
    return all;
  };
  EXPECT_EQ(sums(R"({"energy":"/kwh"})", {"mass"}), "energy=/kwh ");
  EXPECT_EQ(sums(R"({"energy":"/kwh","*":"/sums/{name}/total"})", {"mass", "energy", "a/b"}),
            "energy=/kwh mass=/sums/mass/total a/b=/sums/a/b/total ");
  EXPECT_EQ(sums(R"({"*":"/{name}"})", {}), "");
}

TEST(ReconcileContract, MistakesHaveTheirPlace) {
  const std::string path = R"("path":"/p?f={from|unix}&t={to|unix}&c={cursor}")";
  const std::pair<std::string, std::string> mistakes[] = {
      {Offering(R"("path":"/p?f={from|unix}")", kPlaces), "does not say until when"},
      {Offering(R"("path":"/p?f={from|unix}&t={to|unix}")", kPlaces), "a cursor that no request sends"},
      {Offering(R"("path":"/p?f={from|unix}&t={to|unix}&d={device_id}")", kPlaces), "cannot stand here"},
      {Offering(path, R"("each":"/a","stream":"/s","hour":"/h","count":"/n")"), "no *"},
      {Offering(path, R"("each":"/a/*/b/*","stream":"/s","hour":"/h","count":"/n")"), "only *"},
      {Offering(path, R"("each":"/a/*","stream":"s","hour":"/h","count":"/n")"), "JSON pointer"},
      {Offering(path, R"("each":"/a/*","stream":"/s","hour":"/h")"), "count"},
      {Offering(path, std::string(kPlaces) + R"(,"oldest":"90d")"), "30d"},
      {Offering(path, std::string(kPlaces) + R"(,"sums":{"a":"b"})"), "JSON pointer"},
      {Offering(path, std::string(kPlaces) + R"(,"sums":{"*":"/sums"})"), "{name}"},
      {Offering(path, std::string(kPlaces) + R"(,"nxt":"/n")"), "did you mean \"next\"?"},
      {test::WithItem(R"({"a":"{from}"})"), "cannot stand here"},
  };
  for (const auto& [text, says] : mistakes) {
    const ContractRead read = ReadCloudContract(text, "file");
    EXPECT_EQ(read.definition, nullptr) << text;
    EXPECT_THAT(test::Told(read), HasSubstr(says)) << text;
  }
}

TEST(ReconcileContract, ASettingThatCannotStandInItsPathIsAnErrorOfTheSettings) {
  const ContractRead read =
      ReadCloudContract(Offering(R"("path":"{settings.project|raw}?f={from|unix}&t={to|unix}&c={cursor}")"), "file");
  ASSERT_NE(read.definition, nullptr) << test::Told(read);
  const auto made = MakeCloudContract(read.definition, {{"project", "no-slash"}});
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message, AllOf(HasSubstr("reconcile"), HasSubstr("'/'")));
}

}  // namespace
}  // namespace packhorse::contract
