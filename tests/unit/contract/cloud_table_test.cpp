// Tables that placeholders look values up in, and groups whose members are laid beside each other.

#include <gmock/gmock.h>

#include "base/secret_mark.h"
#include "cloud_fixture.h"

namespace packhorse::contract {
namespace {

using test::Awkward;
using test::Bare;
using test::BodyOf;
using test::Contract;
using test::Header;
using test::Make;
using test::Told;
using test::WithItem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kIds[] = R"("settings":{"ids":{"table":true}})";

CanonicalRecord Of(const std::string& device) {
  CanonicalRecord record = Awkward();
  record.device_id = device;
  return record;
}

// All that is said of a contract that does not load.
std::string Refused(const std::string& text) {
  const ContractRead read = ReadCloudContract(text, "file");
  EXPECT_EQ(read.definition, nullptr) << text;
  return Told(read);
}

std::string WhyNotMade(const std::string& text, const SettingValues& settings, const LookupTables& tables = {}) {
  const ContractRead read = ReadCloudContract(text, "file");
  EXPECT_NE(read.definition, nullptr) << Told(read);
  const auto made = MakeCloudContract(read.definition, settings, tables);
  EXPECT_FALSE(made);
  return made ? "" : made.error().message;
}

TEST(CloudTable, ValuesKeepTheirTypeAndAKeyMayComeFromAnyText) {
  const auto contract = Make(WithItem(R"({"id":"{device_id|lookup:ids}","n":"{kind|lookup:ids}"})", kIds),
                             {{"ids", R"({"a/1":"source 4711","telemetry":7.50})"}});
  EXPECT_EQ(BodyOf(*contract, {Of("a/1")}), R"([{"id":"source 4711","n":7.50}])");
}

TEST(CloudTable, KeyThatIsNotThereIsMissingAndSaysWhichOne) {
  const auto left_out = Make(WithItem(R"({"id":"{device_id|lookup:ids}","d":"{device_id}"})", kIds), {{"ids", "{}"}});
  EXPECT_EQ(BodyOf(*left_out, {Of("a")}), R"([{"d":"a"}])");
  const auto needed = Make(WithItem(R"({"id":"{device_id|lookup:ids|required}"})", kIds), {{"ids", R"({"b":"1"})"}});
  const RenderedRecord record = needed->RenderRecord(Of("a"));
  EXPECT_EQ(record.fate, RenderedRecord::Fate::kDeadLetter);
  EXPECT_EQ(record.reason, "missing_value");
  EXPECT_EQ(record.detail, R"("a" is not in the table "ids")");
  EXPECT_EQ(needed->RenderRecord(Bare()).detail, "device_id is missing");
}

TEST(CloudTable, StarIsEveryOtherKeyAndDefaultWhereThereIsNone) {
  const auto star = Make(WithItem(R"({"id":"{device_id|lookup:ids}"})", kIds), {{"ids", R"({"a":"1","*":"rest"})"}});
  EXPECT_EQ(BodyOf(*star, {Of("a"), Of("b")}), R"([{"id":"1"},{"id":"rest"}])");
  const auto standard =
      Make(WithItem(R"({"id":"{device_id|lookup:ids|default:none}"})", kIds), {{"ids", R"({"a":"1"})"}});
  EXPECT_EQ(BodyOf(*standard, {Of("b")}), R"([{"id":"none"}])");
}

TEST(CloudTable, StandsInTheContractOrIsNamedByTheDestination) {
  const std::string text =
      WithItem(R"({"id":"{device_id|lookup:ids}"})", R"("settings":{"ids":{"table":true,"default":{"a":"1"}}})");
  EXPECT_EQ(BodyOf(*Make(text), {Of("a")}), R"([{"id":"1"}])");
  const ContractRead read = ReadCloudContract(text, "file");
  ASSERT_NE(read.definition, nullptr);
  auto table = std::make_shared<LookupTable>();
  table->entries = {{"a", {"2", false}}};
  const auto made = MakeCloudContract(read.definition, {{"ids", "plant"}}, {{"plant", table}});
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(BodyOf(**made, {Of("a")}), R"([{"id":"2"}])");
}

TEST(CloudTable, WhatADestinationNamesMustBeThere) {
  const std::string text = WithItem(R"({"id":"{device_id|lookup:ids}"})", kIds);
  EXPECT_THAT(WhyNotMade(text, {}), AllOf(HasSubstr("\"ids\" is missing"), HasSubstr("contracts/tables/NAME.json")));
  EXPECT_THAT(WhyNotMade(text, {{"ids", "plnt"}}, {{"plant", std::make_shared<LookupTable>()}}),
              HasSubstr("did you mean \"plant\"?"));
  EXPECT_THAT(WhyNotMade(text, {{"ids", R"({"a":[]})"}}), HasSubstr("/a: is an array"));
}

TEST(CloudTable, MistakesOfAContractAreNamed) {
  const auto item = [](const std::string& value, const std::string& settings) {
    return Refused(WithItem(R"({"a":")" + value + R"("})", R"("settings":{)" + settings + "}"));
  };
  EXPECT_THAT(item("{device_id|lookup:idz}", R"("ids":{"table":true})"),
              AllOf(HasSubstr("/request/item/a"), HasSubstr("did you mean \"ids\"?")));
  EXPECT_THAT(item("{device_id|lookup:ids}", R"("ids":{})"), HasSubstr("\"table\": true"));
  EXPECT_THAT(item("{device_id|lookup}", R"("ids":{"table":true})"), HasSubstr("needs a value"));
  EXPECT_THAT(item("{settings.ids}", R"("ids":{"table":true})"), HasSubstr("{NAME|lookup:ids}"));
  EXPECT_THAT(item("{fields|lookup:ids}", R"("ids":{"table":true})"), HasSubstr("does not fit"));
  EXPECT_THAT(item("{device_id|lookup:ids}", R"("ids":{"table":true,"secret":true})"), HasSubstr("it is a secret"));
  EXPECT_THAT(
      item("x", R"("ids":{"table":true,"default":{"a":true,"b":"","c":"x\ny"}})"),
      AllOf(HasSubstr("/settings/ids/default/a: is true or false"), HasSubstr("/settings/ids/default/b: is empty"),
            HasSubstr("/settings/ids/default/c: has a control character")));
  EXPECT_THAT(item("x", R"("ids":{"table":true,"default":"a"})"), HasSubstr("an object of keys and their values"));
}

TEST(CloudTable, TooManyKeysAreRefused) {
  std::string many = "{";
  for (std::size_t i = 0; i <= kMaxLookupEntries; ++i) {
    many += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":1";
  }
  const auto [table, problems] = ReadLookupTable(many + "}", "many.json");
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_THAT(document::Describe(problems[0]), HasSubstr("at most 10000"));
}

constexpr char kTokens[] = R"({"a/1":"s3cret-1","b":"s3cret-2"})";

std::shared_ptr<const CloudContract> WithTokens(const std::string& more = "") {
  return Make(Contract(R"({"path":"/v1/{device_id|lookup:tokens}/data","split_by":"{device_id}")" + more +
                           R"(,"body":{"json":"{items}"},"item":{"d":"{device_id}"}})",
                       R"("settings":{"tokens":{"table":true,"secret":true}},"accepts":{"unfit":"wait"})"),
              {{"tokens", kTokens}});
}

TEST(CloudTable, AKeyThatOnlyTheGatewayKnowsIsLeftOpenUntilTheGatewayIsKnown) {
  const auto made = [](const std::string& key, const SettingValues& settings) {
    const ContractRead read =
        ReadCloudContract(Contract(R"({"path":"/v1/{)" + key + R"(|lookup:sites}","headers":{"X-Site":"s {)" + key +
                                       R"(|lookup:sites}"},"body":{"json":"{items}"},"item":"{record}"})",
                                   R"("settings":{"sites":{"table":true},"who":{"default":"{gateway.id}"}})"),
                          "file");
    EXPECT_NE(read.definition, nullptr) << Told(read);
    return MakeCloudContract(read.definition, settings, {});
  };
  BatchHeader north;
  north.gateway_id = "north";
  BatchHeader south;
  south.gateway_id = "south";
  for (const char* key : {"gateway.id", "settings.who"}) {
    const auto contract = made(key, {{"sites", R"({"north":"n"})"}});
    ASSERT_TRUE(contract) << contract.error().message;
    EXPECT_TRUE((*contract)->CheckSender(north));
    const Status refused = (*contract)->CheckSender(south);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr(R"("south" is not in the table "sites")"));
    EXPECT_TRUE(made(key, {{"sites", "{}"}}));
  }
  const auto known = made("settings.who", {{"sites", R"({"north":"n"})"}, {"who", "west"}});
  ASSERT_FALSE(known) << "what is known is checked at once";
  EXPECT_THAT(known.error().message, HasSubstr(R"("west" is not in the table "sites")"));
}

TEST(CloudTable, EntryOfASecretTableIsAMarkUntilTheRequestIsSent) {
  const auto contract = WithTokens(R"(,"headers":{"X-Token":"t {device_id|lookup:tokens}"})");
  const RenderedRecord record = contract->RenderRecord(Of("a/1"));
  ASSERT_EQ(record.fate, RenderedRecord::Fate::kItems) << record.detail;
  EXPECT_THAT(record.part, Not(HasSubstr("s3cret")));
  const std::vector<RenderedRecord> records{record};
  const Rendered rendered = contract->RenderBatch(Header(record.part), records);
  EXPECT_EQ(MaskSecretMarks(rendered.path), "/v1/***/data");
  const auto entry = [&](std::string_view name) { return contract->SecretEntry(name); };
  EXPECT_EQ(*FillSecrets(rendered.path, entry), "/v1/s3cret-1/data");
  const Headers headers = contract->RequestHeaders(Header(record.part));
  ASSERT_EQ(headers.size(), 1U);
  EXPECT_EQ(MaskSecretMarks(headers[0].second), "t ***");
  EXPECT_EQ(*FillSecrets(headers[0].second, entry), "t s3cret-1");
  EXPECT_EQ(contract->SecretEntry("tokens:c"), nullptr);
  EXPECT_TRUE(contract->secrets().empty());  // no place of a secret is to be given
}

TEST(CloudTable, RecordOfADeviceThatASecretTableDoesNotHaveWaits) {
  const RenderedRecord record = WithTokens()->RenderRecord(Of("c"));
  EXPECT_EQ(record.fate, RenderedRecord::Fate::kWait);
  EXPECT_EQ(record.detail, R"("c" is not in the table "tokens")");
}

TEST(CloudTable, SecretTableInAFileThatEverybodyMayReadIsRefused) {
  auto table = std::make_shared<LookupTable>();
  table->exposed = true;
  table->file = "/c/tables/t.json";
  EXPECT_THAT(
      WhyNotMade(
          Contract(
              R"({"path":"/{device_id|lookup:tokens}","split_by":"{device_id}","body":{"json":"{items}"},"item":"{record}"})",
              R"("settings":{"tokens":{"table":true,"secret":true}})"),
          {{"tokens", "t"}}, {{"t", table}}),
      HasSubstr("chmod 0640 /c/tables/t.json"));
}

// --- "*": "{groups}"

constexpr char kByDevice[] =
    R"({"path":"/p","group":{"by":["{device_id}"],"as":{"{device_id}":"{items}"}},"body":{"json":{"data":{"*":"{groups}"}}},"item":{"n":"{record_id}"}})";

TEST(CloudGroups, MembersOfGroupsAreLaidBesideEachOther) {
  CanonicalRecord other = Of("b");
  other.record_id = "q.n.8";
  CanonicalRecord again = Of("a \"1\"");
  again.record_id = "q.n.9";
  EXPECT_EQ(BodyOf(*Make(Contract(kByDevice)), {Of("a \"1\""), other, again}),
            R"({"data":{"a \"1\"":[{"n":"q.n.7"},{"n":"q.n.9"}],"b":[{"n":"q.n.8"}]}})");
}

TEST(CloudGroups, RecordWithoutTheNameOfItsGroupIsUnfit) {
  const RenderedRecord record = Make(Contract(kByDevice))->RenderRecord(Bare());
  EXPECT_EQ(record.fate, RenderedRecord::Fate::kDeadLetter);
  EXPECT_EQ(record.detail, "device_id is missing");
}

TEST(CloudGroups, NamesThatCouldMeetAreRefused) {
  const auto refused = [](const std::string& group, const std::string& body) {
    return Refused(Contract(R"({"path":"/p","group":)" + group + R"(,"body":{"json":)" + body +
                            R"(},"item":{"n":"{record_id}"}})"));
  };
  const std::string by_device = R"({"by":["{device_id}"],"as":{"{device_id}":"{items}"}})";
  EXPECT_THAT(refused(by_device, R"({"gateway":"x","*":"{groups}"})"), HasSubstr("as the only member"));
  const std::string spread = R"({"*":"{groups}"})";
  EXPECT_THAT(refused(R"({"by":["{device_id}","{stream}"],"as":{"{device_id}":"{items}"}})", spread),
              HasSubstr("/request/group/as"));
  EXPECT_THAT(refused(R"({"by":["{device_id}"],"as":{"{device_id|safe}":"{items}"}})", spread),
              HasSubstr("/request/group/as"));
  EXPECT_THAT(refused(R"({"by":["{device_id}"],"as":{"device":"{device_id}","items":"{items}"}})", spread),
              HasSubstr("/request/group/as"));
}

}  // namespace
}  // namespace packhorse::contract
