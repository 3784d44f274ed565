// What we send and what we ship follows the schemas that we publish.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>
#include <vector>

#include "golden.h"
#include "repository_file.h"

namespace packhorse::test {
namespace {

using Json = nlohmann::json;
using Adapter = valijson::adapters::NlohmannJsonAdapter;

// One of contracts/schema/, ready to check documents.
class Schema {
 public:
  explicit Schema(const std::string& name) {
    const Json text = Json::parse(RepositoryFile("contracts/schema/" + name));
    valijson::SchemaParser().populateSchema(Adapter(text), schema_);
  }

  // What is wrong with the document; empty when nothing is.
  std::string Complaint(const Json& document) {
    valijson::Validator validator;
    valijson::ValidationResults results;
    if (validator.validate(schema_, Adapter(document), &results)) {
      return {};
    }
    std::string text = "refused";
    valijson::ValidationResults::Error error;
    while (results.popError(error)) {
      text += "; ";
      for (const std::string& part : error.context) {
        text += part;
      }
      text += ": " + error.description;
    }
    return text;
  }

 private:
  valijson::Schema schema_;
};

TEST(IngestSchema, EveryGoldenBodyFollowsIt) {
  Schema schema("packhorse-ingest-1.schema.json");
  for (const std::string& file : RepositoryFiles("contracts/golden/packhorse-ingest@1.0", ".golden")) {
    EXPECT_EQ(schema.Complaint(Json::parse(ParseGolden(RepositoryFile(file)).body)), "") << file;
  }
}

TEST(IngestSchema, WhatDoesNotFollowItIsRefused) {
  Schema schema("packhorse-ingest-1.schema.json");
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
  for (const Json& patch : patches) {
    EXPECT_NE(schema.Complaint(good.patch(patch)), "") << patch;
  }
  // What version 1 may grow by is fine.
  for (const Json& patch : {Json::parse(R"([{"op":"add","path":"/records/0/new","value":1}])"),
                            Json::parse(R"([{"op":"add","path":"/records/0/flags","value":["some_new_flag"]}])"),
                            Json::parse(R"([{"op":"replace","path":"/contract","value":"packhorse-ingest@1.7"}])")}) {
    EXPECT_EQ(schema.Complaint(good.patch(patch)), "") << patch;
  }
}

TEST(ContractSchemas, EveryContractFileFollowsIts) {
  Schema device("device-contract.schema.json");
  for (const std::string& file : RepositoryFiles("contracts/device", ".json")) {
    EXPECT_EQ(device.Complaint(Json::parse(RepositoryFile(file))), "") << file;
  }
  Schema cloud("cloud-contract.schema.json");
  for (const std::string& file : RepositoryFiles("contracts/cloud", ".json")) {
    EXPECT_EQ(cloud.Complaint(Json::parse(RepositoryFile(file))), "") << file;
  }
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
  Schema body("packhorse-ingest-1.schema.json");
  Schema problem("problem.schema.json");
  std::size_t checked = 0;
  for (const auto& [schema, example] : examples) {
    const std::string ref = schema.value("$ref", "");
    if (ref == "packhorse-ingest-1.schema.json") {
      EXPECT_EQ(body.Complaint(example), "") << example;
      ++checked;
    } else if (ref == "problem.schema.json") {
      EXPECT_EQ(problem.Complaint(example), "") << example;
      ++checked;
    } else {
      EXPECT_TRUE(api.contains(Json::json_pointer(ref.substr(1)))) << ref;
    }
  }
  EXPECT_GE(checked, 13U);
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
