#include "document/schema.h"

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>
#include <utility>
#include <vector>

#include "auth/scheme.h"
#include "config/choices.h"
#include "config_fixture.h"
#include "embedded.h"
#include "support/json_schema.h"

namespace packhorse::config {
namespace {

using Json = nlohmann::json;

constexpr char kSchema[] = SOURCE_DIR "/contracts/schema/config.schema.json";

std::string SchemaText() { return test::ReadAll(kSchema); }

// Calls `visit` with every sub-schema that describes a value, and its place.
void Visit(const Json& node, const std::string& place,
           const std::function<void(const Json&, const std::string&)>& visit) {
  for (const char* group : {"properties", "$defs"}) {
    if (node.contains(group)) {
      for (const auto& [name, child] : node[group].items()) {
        if (std::string(group) == "properties") {
          visit(child, place + "." + name);
        }
        Visit(child, place + "." + name, visit);
      }
    }
  }
  for (const char* single : {"items", "additionalProperties"}) {
    if (node.contains(single) && node[single].is_object()) {
      Visit(node[single], place + "[]", visit);
    }
  }
}

TEST(ConfigSchema, TheBinaryHoldsTheFileByteForByte) {
  std::string_view text;
  for (const embedded::File& file : embedded::Files()) {
    text = file.path == "schema/config.schema.json" ? file.text : text;
  }
  EXPECT_EQ(text, SchemaText());
  EXPECT_FALSE(document::EmbeddedSchema("config.schema.json").problem);
}

TEST(ConfigSchema, EveryKeyHasADescriptionATypeAndADefault) {
  const Json json = Json::parse(SchemaText());
  const auto keyword = [&](const Json& schema, const std::string& name) {
    const Json* at = &schema;
    while (!at->contains(name) && at->contains("$ref")) {
      at = &json["$defs"][(*at)["$ref"].get<std::string>().substr(std::string("#/$defs/").size())];
    }
    return at->contains(name) ? (*at)[name] : Json();
  };
  const std::set<std::string> needed = {"id",      "name",    "urls",         "topics",   "url",   "per",  "gateway",
                                        "sources", "streams", "destinations", "messages", "lanes", "from", "to"};
  const std::set<std::string> needed_there = {".destinations[].budget.bytes"};
  std::size_t keys = 0;
  Visit(json, "", [&](const Json& schema, const std::string& place) {
    ++keys;
    EXPECT_TRUE(keyword(schema, "description").is_string()) << place;
    EXPECT_FALSE(keyword(schema, "type").is_null()) << place;
    const std::string name = place.substr(place.rfind('.') + 1);
    const bool has_default = !keyword(schema, "default").is_null() || !keyword(schema, "x-default").is_null();
    EXPECT_TRUE(has_default || needed.count(name) == 1 || needed_there.count(place) == 1) << place;
    const bool object = keyword(schema, "type") == "object";
    if (object && keyword(schema, "additionalProperties").is_boolean()) {
      EXPECT_EQ(keyword(schema, "additionalProperties"), Json(false)) << place;
    }
    EXPECT_TRUE(!object || !keyword(schema, "additionalProperties").is_null()) << place;
  });
  EXPECT_GT(keys, 70U);
}

// A word that the schema allows and the code does not know would silently be read as the default.
TEST(ConfigSchema, EveryWordToChooseFromStandsForAValue) {
  const Json json = Json::parse(SchemaText());
  const std::vector<std::pair<std::string, std::function<bool(const std::string&)>>> choices = {
      {"/properties/streams/items/properties/lane", [](const auto& word) { return ParseLane(word).has_value(); }},
      {"/properties/streams/items/properties/retained",
       [](const auto& word) { return ParseRetainedPolicy(word).has_value(); }},
      {"/properties/streams/items/properties/device_rate/properties/over",
       [](const auto& word) { return kOverNames.Find(word).has_value(); }},
      {"/properties/queue/properties/overflow", [](const auto& word) { return ParseOverflow(word).has_value(); }},
      {"/properties/queue/properties/lane_overflow/properties/bulk",
       [](const auto& word) { return ParseOverflow(word).has_value(); }},
      {"/properties/queue/properties/durability/properties/mode",
       [](const auto& word) { return kDurabilityNames.Find(word).has_value(); }},
      {"/$defs/auth/properties/type", [](const auto& word) { return auth::FindScheme(word) != nullptr; }}};
  for (const auto& [place, known] : choices) {
    for (const auto& word : json.at(Json::json_pointer(place + "/enum"))) {
      EXPECT_TRUE(known(word)) << place << ": " << word;
    }
  }
}

TEST(ConfigSchema, EveryPatternCompilesAndIsBoundedInLength) {
  const Json json = Json::parse(SchemaText());
  std::function<void(const Json&)> walk = [&](const Json& node) {
    if (node.is_object() && node.contains("pattern") && node["pattern"].is_string()) {
      EXPECT_NO_THROW(std::regex(node["pattern"].get<std::string>())) << node["pattern"];
      // std::regex recurses once per character: only short texts may reach it. Property names are bounded in check.cpp.
      EXPECT_TRUE(!node.contains("maxLength") || node["maxLength"] <= 1024) << node;
      EXPECT_TRUE(node.contains("maxLength") || !node.contains("type")) << node;
    }
    if (node.is_structured()) {
      for (const Json& child : node) {
        walk(child);
      }
    }
  };
  walk(json);
}

TEST_F(ConfigTest, LoaderAndSchemaAgreeOnWhatIsAccepted) {
  // Only rules that the schema can say; the loader may know more.
  const std::vector<std::pair<Extra, bool>> cases = {
      {{}, true},
      {{.top = R"("queue": {"max_bytes": 1048576, "max_age": "2h"})"}, true},
      {{.top = R"("queue": {"max_bytes": "1GB"})"}, false},
      {{.top = R"("queue": {"max_age": 5})"}, false},
      {{.top = R"("sinks": 1)"}, false},
      {{.top = R"("log": {"level": "loud"})"}, false},
      {{.top = R"("limits": {"a": [{"requests": 1, "per": "1s"}]})"}, true},
      {{.top = R"("limits": {"a": [{"per": "1s"}]})"}, false},
      {{.top = R"("limits": {"a b": []})"}, false},
      {{.top = R"("$schema": "urn:packhorse:schema:config")"}, true},
      {{.gateway = R"("attributes": {"site": "x"})"}, true},
      {{.gateway = R"("attributes": {"site": 1})"}, false},
      {{.source = R"("receive_maximum": 65535)"}, true},
      {{.source = R"("receive_maximum": 65536)"}, false},
      {{.source = R"("password": {"file": "DIR/token", "next": {"file": "DIR/mqtt.password"}})"}, true},
      {{.source = R"("password": "x")"}, false},
      {{.source = R"("password": {})"}, false},
      {{.source = R"("password": {"file": "DIR/token", "env": "HOME"})"}, false},
      {{.source = R"("password": {"file": "token"})"}, false},
      {{.source = R"("reconnect": {"min": "1s", "max": "2s", "mid": "1s"})"}, false},
      {{.stream = R"("lane": "urgent", "retained": "telemetry")"}, true},
      {{.stream = R"("lane": "Urgent")"}, false},
      {{.stream = R"("contract": "generic-json")"}, false},
      {{.stream = R"("destinations": [])"}, false},
      {{.destination = R"("auth": {"type": "bearer", "token": {"file": "DIR/token"}})"}, true},
      {{.destination = R"("auth": {"type": "bearer"})"}, false},
      {{.destination = R"("auth": {"token": {"file": "DIR/token"}})"}, false},
      {{.destination = R"("auth": {"type": "basic", "username": "u", "password": {"file": "DIR/token"}})"}, true},
      {{.destination = R"("auth": {"type": "basic", "username": "u"})"}, false},
      {{.destination = R"("auth": {"key": {"file": "DIR/token"}})"}, true},
      {{.destination = R"("auth": {"type": "none", "key": {"file": "DIR/token"}})"}, false},
      {{.destination = R"("auth": {"type": "google_jwt", "scope": "s", "service_account": {"file": "DIR/token"}})"},
       true},
      {{.destination = R"("auth": {"type": "google_jwt", "scope": "s"})"}, false},
      {{.destination = R"("batch": {"max_records": 0})"}, false},
      {{.destination = R"("retry": {"budget": 2})"}, false},
      {{.destination = R"("tls": {"pin": ["sha256//x"]})"}, false},
      {{.destination = R"("timeout": "10 s")"}, false},
  };
  std::vector<std::string> texts;
  for (const auto& [extra, accepted] : cases) {
    texts.push_back(InDir(Minimal(extra)));
    EXPECT_EQ(ParseInDir(texts.back()).ok(), accepted) << texts.back() << "\n" << All(ParseInDir(texts.back()));
  }
  const std::vector<std::string> complaints = test::SchemaComplaints(kSchema, texts);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ(complaints[i].empty(), cases[i].second) << texts[i] << "\n" << complaints[i];
  }
}

TEST(ConfigReference, TheDocumentedPageIsUpToDate) {
  const std::string file = std::string(SOURCE_DIR) + "/docs/CONFIGURATION.md";
  if (std::getenv("PACKHORSE_UPDATE") != nullptr) {
    test::WriteAll(file, RenderReference());
  }
  std::istringstream written(test::ReadAll(file));
  std::istringstream made(RenderReference());
  std::string written_line;
  std::string made_line;
  while (std::getline(made, made_line)) {
    std::getline(written, written_line);
    ASSERT_EQ(written_line, made_line)
        << "the schema changed: run PACKHORSE_UPDATE=1 build/bin/config_test and look at what became of the page";
  }
  EXPECT_FALSE(std::getline(written, written_line)) << "more on the page than there should be: " << written_line;
}

TEST(ConfigReference, EveryKeyOfTheSchemaIsOnThePage) {
  const std::string page = RenderReference();
  const Json json = Json::parse(SchemaText());
  Visit(json, "", [&](const Json& /*schema*/, const std::string& place) {
    const std::string name = place.substr(place.rfind('.') + 1);
    const bool section = page.find("## " + name + "\n") != std::string::npos;
    EXPECT_TRUE(section || page.find(name + "` |") != std::string::npos || name == "$schema") << place;
  });
}

// What the check refuses and what is bound are the same words.
TEST(ConfigSchema, KeysThatExcludeEachOtherAreThoseThatAreBound) {
  const document::Document schema = document::EmbeddedSchema("config.schema.json");
  const auto keys_of = [&](const char* name) {
    std::vector<std::string> keys;
    for (const document::Node& key : schema.root["$defs"][name]["x-one-of"].items) {
      keys.push_back(key.text);
    }
    return keys;
  };
  std::vector<std::string> secrets;
  for (const auto& [name, kind] : kSecretKeys) {
    secrets.emplace_back(name);
  }
  std::vector<std::string> limits;
  for (const auto& [name, unit] : kLimitKeys) {
    limits.emplace_back(name);
  }
  EXPECT_EQ(keys_of("secret"), secrets);
  EXPECT_EQ(keys_of("next_secret"), secrets);
  EXPECT_EQ(keys_of("limit"), limits);
}

}  // namespace
}  // namespace packhorse::config
