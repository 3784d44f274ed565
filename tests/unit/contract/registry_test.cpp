#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "contract/cloud/read_contract.h"
#include "contract/cloud_contract.h"
#include "contract/contract_files.h"
#include "contract/device_contract.h"
#include "embedded.h"

namespace packhorse::contract {
namespace {

std::string FileText(std::string_view path) {
  for (const embedded::File& file : embedded::Files()) {
    if (file.path == path) {
      return std::string(file.text);
    }
  }
  return {};
}

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

TEST(Registry, AMajorVersionFindsItsNewestMinor) {
  ASSERT_TRUE(FindDeviceContract("generic-json@1"));
  EXPECT_EQ((*FindDeviceContract("generic-json@1"))->name(), "generic-json@1.1");
  EXPECT_EQ((*FindDeviceContract("generic-json@1.0"))->name(), "generic-json@1.0");
  ASSERT_TRUE(FindCloudContract("packhorse-ingest@1"));
  EXPECT_EQ((*FindCloudContract("packhorse-ingest@1"))->name(), "packhorse-ingest@1.3");
}

TEST(Registry, AnUnknownContractIsAnErrorThatListsWhatExists) {
  for (const std::string name : {"generic-json@2", "generic-json@1.7", "generic@1"}) {
    const auto found = FindDeviceContract(name);
    ASSERT_FALSE(found) << name;
    EXPECT_EQ(found.error().code, ErrorCode::kNotFound) << name;
    EXPECT_NE(found.error().message.find("generic-json@1.0"), std::string::npos) << found.error().message;
  }
  const auto cloud = FindCloudContract("packhorse-ingest@9");
  ASSERT_FALSE(cloud);
  EXPECT_NE(cloud.error().message.find("packhorse-ingest@1.0"), std::string::npos);
}

TEST(Registry, AMalformedNameIsAnErrorThatShowsTheForm) {
  for (const std::string name : {"", "generic-json", "@1", "generic-json@", "generic-json@x", "generic-json@1.",
                                 "generic-json@1.x", "generic-json@-1", "generic-json@99999999999"}) {
    const auto found = FindDeviceContract(name);
    ASSERT_FALSE(found) << name;
    EXPECT_EQ(found.error().code, ErrorCode::kInvalidArgument) << name;
    EXPECT_NE(found.error().message.find("name@major"), std::string::npos);
  }
}

TEST(Registry, NamesAreListed) {
  EXPECT_EQ(DeviceContractNames(), (std::vector<std::string>{"generic-json@1.0", "generic-json@1.1"}));
  const std::vector<std::string> clouds = CloudContractNames();
  for (const char* name :
       {"packhorse-ingest@1.0", "packhorse-ingest@1.1", "packhorse-ingest@1.2", "packhorse-ingest@1.3"}) {
    EXPECT_NE(std::find(clouds.begin(), clouds.end(), name), clouds.end()) << name;
  }
}

TEST(Registry, TheCloudContractIsReadFromItsFile) {
  const auto contract = *FindCloudContract("packhorse-ingest@1.0");
  EXPECT_EQ(contract->method(), "POST");
  EXPECT_EQ(contract->HeaderNames(), std::vector<std::string>{"idempotency-key"});
  EXPECT_EQ(contract->accepts().max_items, 1000U);
  EXPECT_EQ(contract->accepts().max_bytes, 5U * 1024 * 1024);
  EXPECT_TRUE(contract->recognises_records());
  EXPECT_EQ(contract->codings(), std::vector<std::string>{"gzip"});
  const std::vector<ResponseRule>& rules = contract->response().rules;
  ASSERT_EQ(rules.size(), 2U);
  const ResponseRule& partial = rules[0];
  EXPECT_EQ(partial.status, (std::vector<std::pair<int, int>>{{207, 207}}));
  EXPECT_EQ(partial.accepted_count->path, std::vector<std::string>{"accepted"});
  EXPECT_EQ(partial.rest, RuleVerdict::kAccepted);
  ASSERT_EQ(partial.lists.size(), 2U);
  EXPECT_EQ(partial.lists[0].each, (std::vector<std::string>{"rejected", "*"}));
  EXPECT_EQ(partial.lists[0].at.path, std::vector<std::string>{"record_id"});
  EXPECT_EQ(partial.lists[0].item.at(0).reason->path, std::vector<std::string>{"error"});
  EXPECT_EQ(partial.lists[1].each, (std::vector<std::string>{"retry", "*"}));
  EXPECT_EQ(rules[1].status, (std::vector<std::pair<int, int>>{{200, 200}}));
  EXPECT_EQ(rules[1].verdict, RuleVerdict::kAccepted);
}

TEST(Registry, OnlyTheNewerCloudContractTellsOfWhatWasNotReceived) {
  const auto old = *FindCloudContract("packhorse-ingest@1.0");
  const auto newer = *FindCloudContract("packhorse-ingest@1.1");
  EXPECT_FALSE(old->TellsGap("not_received"));
  EXPECT_TRUE(newer->TellsGap("not_received"));
  for (const std::string_view outcome : {"dropped", "expired"}) {
    EXPECT_TRUE(old->TellsGap(outcome));
    EXPECT_TRUE(newer->TellsGap(outcome));
  }
}

struct BrokenCase {
  std::string from;
  std::string to;
  std::string pointer;
};

TEST(ContractFiles, ABrokenDeviceContractSaysWhere) {
  const std::string good = FileText("device/generic-json@1.0.json");
  ASSERT_TRUE(ParseDeviceContract(good));
  for (const BrokenCase& c : {
           BrokenCase{"\"generic-json@1.0\"", "\"generic-json@1\"", "/contract:"},
           BrokenCase{"\"json\"", "\"xml\"", "/format:"},
           BrokenCase{"\"max_depth\": 32", "\"max_depth\": 0", "/limits/max_depth:"},
           BrokenCase{"\"max_depth\": 32", "\"max_depth\": 4000", "/limits/max_depth:"},
           BrokenCase{"\"max_bytes\": 4194304", "\"max_bytes\": \"4MiB\"", "/limits/max_bytes:"},
           BrokenCase{"\"limits\": {", "\"other\": {", "/limits:"},
           BrokenCase{"\"late_after\": \"1h\"", "\"late_after\": \"soon\"", "/device_time/late_after:"},
           BrokenCase{"2015-01-01T00:00:00Z", "2015", "/device_time/not_before:"},
           BrokenCase{"1980-01-06T00:00:00Z", "then", "/device_time/unset_clocks:"},
           BrokenCase{"\"unit\": \"ns\"", "\"unit\": \"h\"", "/device_time/fields/9/unit:"},
           BrokenCase{"\"source\": \"gateway\"", "\"source\": \"me\"", "/device_time/fields/41/source:"},
           BrokenCase{"\"weak\": true", "\"weak\": 1", "/device_time/fields/32/weak:"},
           BrokenCase{"{ \"name\": \"ts\" }", "\"ts\"", "/device_time/fields/22:"},
           BrokenCase{"{", "[", "/: not valid JSON"},
       }) {
    const auto parsed = ParseDeviceContract(Replaced(good, c.from, c.to));
    ASSERT_FALSE(parsed) << c.to;
    EXPECT_EQ(parsed.error().message.substr(0, c.pointer.size()), c.pointer) << parsed.error().message;
  }
}

TEST(ContractFiles, BrokenNamesForATopicSayWhere) {
  const std::string good = FileText("device/generic-json@1.1.json");
  ASSERT_TRUE(ParseDeviceContract(good));
  for (const BrokenCase& c : {
           BrokenCase{"\"v1/gateway/telemetry\"", "\"v1/#/telemetry\"", "/device_time/by_topic/0/topics:"},
           BrokenCase{"\"v1/gateway/telemetry\"", "7", "/device_time/by_topic/0/topics:"},
           BrokenCase{"{ \"name\": \"time\", \"source\": \"gateway\" }", "{}",
                      "/device_time/by_topic/1/fields/0/name:"},
           BrokenCase{"\"unit\": \"s\", \"source\"", "\"unit\": \"h\", \"source\"",
                      "/device_time/by_topic/2/fields/0/unit:"},
           BrokenCase{"\"by_topic\": [", "\"by_topic\": 1, \"x\": [", "/device_time/by_topic:"},
       }) {
    const auto parsed = ParseDeviceContract(Replaced(good, c.from, c.to));
    ASSERT_FALSE(parsed) << c.to;
    EXPECT_EQ(parsed.error().message.substr(0, c.pointer.size()), c.pointer) << parsed.error().message;
  }
}

TEST(ContractFiles, ABrokenCloudContractSaysWhere) {
  const std::string good = FileText("cloud/packhorse-ingest@1.0.json");
  ASSERT_NE(ReadCloudContract(good, "file").definition, nullptr);
  for (const BrokenCase& c : {
           BrokenCase{"packhorse-ingest@1.0", "packhorse-ingest", "/contract:"},
           BrokenCase{"\"packhorse\"", "\"csv\"", "/request/envelope:"},
           BrokenCase{"\"/v1/telemetry\"", "\"v1/telemetry\"", "/request/path:"},
           BrokenCase{"\"max_records\": 1000", "\"max_records\": -1", "/limits/max_records:"},
           BrokenCase{"[200]", "[20]", "/response/success/0:"},
           BrokenCase{"[200]", "200", "/response/success:"},
           BrokenCase{"\"retry\": \"/retry\"", "\"again\": \"/retry\"", "/response/partial"},
           BrokenCase{"\"accepted\": \"/accepted\"", "\"accepted\": 1", "/response/accepted:"},
       }) {
    const ContractRead read = ReadCloudContract(Replaced(good, c.from, c.to), "file");
    ASSERT_EQ(read.definition, nullptr) << c.to;
    const std::string first = document::Describe(read.problems.front());
    EXPECT_EQ(first.substr(0, 6 + c.pointer.size()), "file: " + c.pointer) << first;
  }
}

}  // namespace
}  // namespace packhorse::contract
