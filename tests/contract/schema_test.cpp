// What we send and what we ship follows the schemas that we publish.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "golden.h"
#include "repository_file.h"
#include "support/json_schema.h"

namespace packhorse::test {
namespace {

using Json = nlohmann::json;
using testing::Each;
// One of contracts/schema/, ready to check documents.
class Schema {
 public:
  explicit Schema(const std::string& name) : file_(SOURCE_DIR "/contracts/schema/" + name) {}

  // What is wrong with each document; empty when nothing is.
  std::vector<std::string> Complaints(const std::vector<Json>& documents) const {
    std::vector<std::string> texts;
    for (const Json& document : documents) {
      texts.push_back(document.dump());
    }
    return SchemaComplaints(file_, texts);
  }
  std::string Complaint(const Json& document) const { return Complaints({document}).front(); }

 private:
  std::string file_;
};

TEST(IngestSchema, EveryGoldenBodyFollowsIt) {
  const Schema schema("packhorse-ingest-1.schema.json");
  const std::vector<std::string> files = GoldenFiles();
  std::vector<Json> bodies;
  for (const std::string& file : files) {
    bodies.push_back(Json::parse(ParseGolden(RepositoryFile(file)).body));
  }
  const std::vector<std::string> complaints = schema.Complaints(bodies);
  for (std::size_t i = 0; i < files.size(); ++i) {
    EXPECT_EQ(complaints[i], "") << files[i];
  }
}

TEST(IngestSchema, WhatDoesNotFollowItIsRefused) {
  const Schema schema("packhorse-ingest-1.schema.json");
  const std::string file = "contracts/golden/packhorse-ingest@1.0/plain.golden";
  const Json good = Json::parse(ParseGolden(RepositoryFile(file)).body);
  ASSERT_EQ(schema.Complaint(good), "");
  const std::vector<Json> patches = {
      Json::parse(R"([{"op":"remove","path":"/contract"}])"),
      Json::parse(R"([{"op":"replace","path":"/contract","value":"packhorse-ingest@2.0"}])"),
      Json::parse(R"([{"op":"remove","path":"/gateway/id"}])"),
      Json::parse(R"([{"op":"replace","path":"/batch/lane","value":"fast"}])"),
      Json::parse(R"([{"op":"replace","path":"/records","value":[]}])"),
      Json::parse(R"([{"op":"replace","path":"/records/0/record_id","value":"1001"}])"),
      Json::parse(R"([{"op":"replace","path":"/records/0/sequence","value":"1001"}])"),
      Json::parse(R"([{"op":"replace","path":"/records/0/kind","value":"reading"}])"),
      Json::parse(R"([{"op":"replace","path":"/records/0/server_received_at","value":"2026-11-20T09:12:01Z"}])"),
      Json::parse(R"([{"op":"replace","path":"/records/0/gateway_clock","value":"recovered"}])"),
      Json::parse(R"([{"op":"add","path":"/records/0/server_received_at_raw","value":"2026-11-20T09:12:01.000000Z"}])"),
      Json::parse(R"([{"op":"remove","path":"/records/0/device_time"}])"),
      Json::parse(R"([{"op":"replace","path":"/records/0/device_time/value","value":"2026-11-20T09:12:01.5Z"}])"),
      Json::parse(R"([{"op":"replace","path":"/records/0/device_time/quality","value":"good"}])"),
      Json::parse(R"([{"op":"remove","path":"/records/0/topic"}])"),
      Json::parse(R"([{"op":"replace","path":"/records/0/measurements/temperature","value":21.5}])"),
      Json::parse(R"([{"op":"replace","path":"/records/0/measurements/temperature/value","value":"21.5"}])"),
      Json::parse(R"([{"op":"replace","path":"/records/0/attributes/firmware","value":["1.4.2"]}])"),
      Json::parse(R"([{"op":"add","path":"/records/0/flags","value":[]}])"),
  };
  std::vector<Json> bad;
  for (const Json& patch : patches) {
    bad.push_back(good.patch(patch));
  }
  const std::vector<std::string> complaints = schema.Complaints(bad);
  for (std::size_t i = 0; i < patches.size(); ++i) {
    EXPECT_NE(complaints[i], "") << patches[i];
  }
  // What version 1 may grow by is fine.
  for (const Json& patch : {Json::parse(R"([{"op":"add","path":"/records/0/new","value":1}])"),
                            Json::parse(R"([{"op":"add","path":"/records/0/flags","value":["some_new_flag"]}])"),
                            Json::parse(R"([{"op":"replace","path":"/contract","value":"packhorse-ingest@1.7"}])")}) {
    EXPECT_EQ(schema.Complaint(good.patch(patch)), "") << patch;
  }
}

// All at once: each question to the checker starts a program.
void ExpectFollow(const Schema& schema, const std::vector<std::string>& files) {
  std::vector<Json> documents;
  for (const std::string& file : files) {
    documents.push_back(Json::parse(RepositoryFile(file)));
  }
  const std::vector<std::string> complaints = schema.Complaints(documents);
  ASSERT_EQ(complaints.size(), files.size());
  for (std::size_t i = 0; i < files.size(); ++i) {
    EXPECT_EQ(complaints[i], "") << files[i];
  }
}

TEST(ContractSchemas, EveryContractFileFollowsIts) {
  const Schema device("device-contract.schema.json");
  ExpectFollow(device, RepositoryFiles("contracts/device", ".json"));
  const Schema cloud("cloud-contract.schema.json");
  std::vector<std::string> first_form;
  std::vector<std::string> others;
  for (const std::string& file : RepositoryFiles("contracts/cloud", ".json")) {
    (Json::parse(RepositoryFile(file)).at("request").contains("envelope") ? first_form : others).push_back(file);
  }
  ExpectFollow(cloud, first_form);
  ExpectFollow(Schema("cloud-contract-2.schema.json"), others);
  EXPECT_NE(device.Complaint(Json::parse(R"({"contract":"x@1.0"})")), "");
  EXPECT_NE(cloud.Complaint(Json::parse(R"({"contract":"x@1.0"})")), "");
}

// Every document under `examples` members, with the schema beside it.
void CollectExamples(const Json& node, std::vector<std::pair<Json, Json>>& out) {
  if (node.is_object() && node.contains("schema") && node.contains("examples")) {
    for (const auto& example : node.at("examples")) {
      out.emplace_back(node.at("schema"), example.at("value"));
    }
  }
  if (node.is_structured()) {
    for (const auto& child : node) {
      CollectExamples(child, out);
    }
  }
}

TEST(OpenApi, ItsExamplesFollowTheSchemasTheyStandBeside) {
  const Json api = Json::parse(RepositoryFile("contracts/schema/packhorse-ingest-1.openapi.json"));
  EXPECT_EQ(api.at("openapi"), "3.1.0");
  std::vector<std::pair<Json, Json>> examples;
  CollectExamples(api.at("paths"), examples);
  EXPECT_GE(examples.size(), 15U);
  const Schema body("packhorse-ingest-1.schema.json");
  const Schema problem("problem.schema.json");
  std::vector<Json> bodies;
  std::vector<Json> problems;
  for (const auto& [schema, example] : examples) {
    const std::string ref = schema.value("$ref", "");
    if (ref == "packhorse-ingest-1.schema.json") {
      bodies.push_back(example);
    } else if (ref == "problem.schema.json") {
      problems.push_back(example);
    } else {
      EXPECT_TRUE(api.contains(Json::json_pointer(ref.substr(1)))) << ref;
    }
  }
  EXPECT_GE(bodies.size() + problems.size(), 13U);
  EXPECT_THAT(body.Complaints(bodies), Each(""));
  EXPECT_THAT(problem.Complaints(problems), Each(""));
}

TEST(OpenApi, ItSaysWhatTheCloudContractSays) {
  const Json api = Json::parse(RepositoryFile("contracts/schema/packhorse-ingest-1.openapi.json"));
  const Json contract = Json::parse(RepositoryFile("contracts/cloud/packhorse-ingest@1.0.json"));
  const Json schema = Json::parse(RepositoryFile("contracts/schema/packhorse-ingest-1.schema.json"));
  const Json& path = api.at("paths").at(contract.at("request").at("path").get<std::string>());
  const Json& post = path.at("post");
  EXPECT_EQ(post.at("parameters").at(0).at("name"), contract.at("request").at("idempotency_header"));
  EXPECT_TRUE(post.at("requestBody").at("content").contains(contract.at("request").at("content_type")));
  for (const Json& status : contract.at("response").at("success")) {
    EXPECT_TRUE(post.at("responses").contains(std::to_string(status.get<int>())));
  }
  EXPECT_TRUE(post.at("responses").contains("207"));
  EXPECT_EQ(schema.at("properties").at("records").at("maxItems"), contract.at("limits").at("max_records"));
}

}  // namespace
}  // namespace packhorse::test
