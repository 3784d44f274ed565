// The receiver's hand-written rules and the published schema must not drift apart.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bodies.h"
#include "support/json_schema.h"
#include "support/process.h"
#include "validation.h"

namespace packhorse::cloud::test {
namespace {

using nlohmann::json;
using packhorse::test::ReadAll;

// Which of these bodies the schema accepts.
std::vector<bool> SchemaAccepts(const std::vector<std::string>& bodies) {
  const std::vector<std::string> complaints =
      packhorse::test::SchemaComplaints(SOURCE_DIR "/contracts/schema/packhorse-ingest-1.schema.json", bodies);
  std::vector<bool> accepted(complaints.size());
  std::transform(complaints.begin(), complaints.end(), accepted.begin(),
                 [](const std::string& complaint) { return complaint.empty(); });
  return accepted;
}

Validation Check(Validator& validator, const json& body) { return validator.Check(body.dump()); }

// Replaces every member of a body, one at a time, by values of other kinds, and takes it away.
void ForEachVariation(json& whole, json& at, const std::function<void()>& try_it) {
  static const std::vector<json> kOthers = {nullptr, true, -1, 1.5, "", "x", json::array(), json::object()};
  for (const json& other : kOthers) {
    json saved = other;
    std::swap(saved, at);
    try_it();
    std::swap(saved, at);
  }
  if (!at.is_structured()) {
    return;
  }
  if (at.is_object()) {
    const json before = at;
    for (const auto& [name, value] : before.items()) {
      at.erase(name);
      try_it();
      at[name] = value;
    }
  }
  for (auto& member : at) {
    ForEachVariation(whole, member, try_it);
  }
}

TEST(PublishedSchema, GoldenBodiesPassTheReceiver) {
  Validator validator({});
  int bodies = 0;
  for (const auto& file : std::filesystem::recursive_directory_iterator(SOURCE_DIR "/contracts/golden")) {
    if (!file.is_regular_file()) {
      continue;
    }
    const std::string text = ReadAll(file.path().string());
    const std::size_t at = text.find("--- body\n");
    ASSERT_NE(at, std::string::npos) << file.path();
    const std::string body = text.substr(at + std::string_view("--- body\n").size());
    const Validation result = validator.Check(body);
    EXPECT_TRUE(result.ok) << file.path() << ": "
                           << (result.refusal.violations.empty()
                                   ? result.refusal.syntax
                                   : result.refusal.violations[0].pointer + " " + result.refusal.violations[0].detail);
    ++bodies;
  }
  EXPECT_GT(bodies, 0);
}

TEST(PublishedSchema, ReceiverRefusesWhatTheSchemaRefusesAndLittleElse) {
  json body = Body({Record(1)});
  json recovered = Record(2);
  recovered["gateway_clock"] = "recovered";
  recovered["server_received_at_raw"] = "1970-01-01T00:01:30.000001Z";
  body["records"].push_back(recovered);
  body["batch"]["records"] = 2;
  Validator validator({});
  ASSERT_TRUE(SchemaAccepts({body.dump()}).front());
  ASSERT_TRUE(Check(validator, body).ok);
  std::vector<std::string> variations;
  ForEachVariation(body, body, [&] { variations.push_back(body.dump()); });
  EXPECT_GT(variations.size(), 500U);
  const std::vector<bool> accepted = SchemaAccepts(variations);
  for (std::size_t i = 0; i < variations.size(); ++i) {
    const Validation result = validator.Check(variations[i]);
    if (!accepted[i]) {
      EXPECT_FALSE(result.ok) << variations[i];
      continue;
    }
    // Beyond the schema there are only rules about members that must agree with each other.
    for (const Violation& violation : result.refusal.violations) {
      EXPECT_TRUE(violation.pointer == "/batch/records" || violation.pointer.ends_with("/sequence") ||
                  violation.pointer.ends_with("/record_id"))
          << violation.pointer << " " << violation.detail << " in " << variations[i];
    }
  }
}

}  // namespace
}  // namespace packhorse::cloud::test
